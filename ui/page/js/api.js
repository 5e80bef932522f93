// Asking /api. A refusal is an `ApiError` with the problem's details.

export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title);
    this.status = problem.status;
    this.problem = problem;
  }
}

let onStranger = () => {};

/** Have this called when nobody is logged in (any more). */
export function whenStranger(call) {
  onStranger = call;
}

async function ask(method, path, body) {
  let answer;
  try {
    const sent = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    answer = await fetch(`/api${path}`, { method, ...sent });
  } catch {
    throw new ApiError({ status: 0, detail: "The server does not answer." });
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({ status: answer.status, detail: answer.statusText }));
  if (answer.status === 401 && path !== "/session") onStranger();
  throw new ApiError(problem);
}

export const get = (path, parameters = {}) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "" && one !== undefined) query.append(name, one);
  }
  return ask("GET", query.size ? `${path}?${query}` : path);
};
export const put = (path, body) => ask("PUT", path, body);
export const post = (path, body) => ask("POST", path, body);
export const remove = (path) => ask("DELETE", path);
