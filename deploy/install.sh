#!/bin/sh
# Installs reactorium from this clone for systemd, and takes it out again; run it as root, as often as you like.
#
#   sh deploy/install.sh node       a board beside a vessel (Raspberry Pi OS 64-bit, or another Debian)
#   sh deploy/install.sh server     coordinator, managers, database, web page, gateway
#   sh deploy/install.sh host       managers for a coordinator elsewhere
#   sh deploy/install.sh remove     all of it, but /etc/reactorium and /var/lib/reactorium
#
# With DESTDIR it writes its files below that folder, and only says what it would do to the machine itself.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
root=${DESTDIR:-}
role=${1:-}

say() { printf '%s\n' "$*"; }
fail() { say "install.sh: $*" >&2; exit 1; }

# Does something to the machine itself; in a scratch root it only says so.
act() {
  if [ -n "$root" ]; then say "  not done in a scratch root: $*"; else "$@"; fi
}

# The same to what runs at the moment; when an image is made nothing does.
now() {
  if [ -n "$root" ] || [ -d /run/systemd/system ]; then act "$@"; else say "  not done, systemd does not run here: $*"; fi
}

# Writes standard input to a file, and says whether that changed anything.
put() { # FILE MODE
  mkdir -p "$(dirname "$root$1")"
  cat >"$root$1.new"
  chmod "$2" "$root$1.new"
  if cmp -s "$root$1.new" "$root$1"; then
    rm "$root$1.new"
    say "  $1 is as it should be"
  else
    mv "$root$1.new" "$root$1"
    say "  $1 is written"
  fi
}

drop() { # FILE...
  for file in "$@"; do
    if [ -e "$root$file" ]; then rm -rf "$root$file"; say "  $file is removed"; fi
  done
}

packages() { # PACKAGE...: those of them that are missing
  missing=
  for package in "$@"; do
    [ -z "$root" ] && dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
  done
  [ -n "$missing" ] || { say "  all are there"; return; }
  act apt-get -qq update
  # shellcheck disable=SC2086 # several words
  act apt-get -qq install -y --no-install-recommends $missing
}

user() {
  say "the user reactorium, in the groups of what is wired"
  act sh -c 'id reactorium >/dev/null 2>&1 || useradd --system --home-dir /var/lib/reactorium --shell /usr/sbin/nologin reactorium'
  for group in i2c gpio dialout; do
    act sh -c "getent group $group >/dev/null || groupadd --system $group"
    act usermod --append --groups "$group" reactorium
  done
  mkdir -p "$root/etc/reactorium" "$root/var/lib/reactorium"
  chmod 0750 "$root/etc/reactorium"
  chmod 0700 "$root/var/lib/reactorium"
  act chown reactorium:reactorium /etc/reactorium /var/lib/reactorium
}

program() { # EXTRA
  say "the program, in /opt/reactorium"
  act python3 -m venv /opt/reactorium
  act /opt/reactorium/bin/python -m pip install -q --disable-pip-version-check \
    --upgrade --force-reinstall --no-deps "$source"
  act /opt/reactorium/bin/python -m pip install -q --disable-pip-version-check \
    --constraint "$source/constraints.txt" "${source}[$1]"
  put /usr/local/bin/reactorium 0755 <<'WRAPPER'
#!/bin/sh
# Runs reactorium as the service's user with the service's settings: as root, in /etc/reactorium.
cd /etc/reactorium && exec runuser -u reactorium -- /opt/reactorium/bin/reactorium "$@"
WRAPPER
}

settings() {
  say "settings, which a person may edit"
  if [ -e "$root/etc/reactorium/.env" ]; then
    say "  /etc/reactorium/.env is there, and is left as it is"
    return
  fi
  put /etc/reactorium/.env 0600 <<'ENV'
# Every variable: env.sample in the source. Start anew after a change: systemctl restart 'reactorium@*'
REACTORIUM_STATE_DIR=/var/lib/reactorium
REACTORIUM_CACHE_DIR=/var/lib/reactorium/cache
ENV
  act chown reactorium:reactorium /etc/reactorium/.env
}

unit() { # ROLE
  say "the service reactorium@$1, which starts at boot"
  put /etc/systemd/system/reactorium@.service 0644 <"$source/deploy/systemd/reactorium@.service"
  if [ "$1" != node ]; then
    put "/etc/systemd/system/reactorium@$1.service.d/no-hardware.conf" 0644 <"$source/deploy/systemd/no-hardware.conf"
  fi
  now systemctl daemon-reload
  act systemctl enable "reactorium@$1"
  now systemctl try-restart "reactorium@$1"
}

# The gateway runs an nginx of its own; the package's, with its site on port 80, is not started because of us.
nginx() {
  say "nginx"
  if [ -x /usr/sbin/nginx ]; then say "  is there, and is left as it is"; return; fi
  packages nginx
  act systemctl disable nginx
  now systemctl stop nginx
}

# Prints a file without our block.
without_block() { # FILE
  sed '/^# reactorium: begin/,/^# reactorium: end/d' "$1"
}

firmware() {
  for boot in /boot/firmware /boot; do
    if [ -e "$root$boot/config.txt" ]; then say "$boot"; return; fi
  done
}

hardware() {
  say "the board's buses: I2C, the serial port of the header (without a console on it), two PWM channels"
  boot=$(firmware)
  if [ -z "$boot" ]; then
    say "  this is no Raspberry Pi: enable what you wired up yourself"
  else
    { without_block "$root$boot/config.txt"; cat "$source/deploy/board/config.txt"; } | put "$boot/config.txt" 0644
    if [ -e "$root$boot/cmdline.txt" ]; then
      [ -e "$root$boot/cmdline.before-reactorium" ] || cp "$root$boot/cmdline.txt" "$root$boot/cmdline.before-reactorium"
      sed -E 's/console=(serial0|ttyAMA0|ttyS0),[0-9]+ ?//' "$root$boot/cmdline.txt" | put "$boot/cmdline.txt" 0644
    fi
  fi
  say i2c-dev | put /etc/modules-load.d/reactorium.conf 0644
  say "names of serial ports, and who may use PWM"
  put /etc/udev/rules.d/90-reactorium.rules 0644 <"$source/deploy/board/90-reactorium.rules"
  now udevadm control --reload
  now udevadm trigger --subsystem-match=tty --subsystem-match=pwm
  say "the board's watchdog"
  put /etc/systemd/system.conf.d/reactorium.conf 0644 <"$source/deploy/board/watchdog.conf"
}

clock() {
  say "time synchronisation"
  for service in chrony chronyd ntpsec ntp; do
    if [ -z "$root" ] && systemctl is-enabled --quiet "$service" 2>/dev/null; then say "  $service does it"; return; fi
  done
  packages systemd-timesyncd
  act systemctl enable systemd-timesyncd
  now systemctl start systemd-timesyncd
}

remove() {
  say "the service"
  for was in server node host; do
    now systemctl stop "reactorium@$was"
    act systemctl disable "reactorium@$was"
  done
  drop /etc/systemd/system/reactorium@.service /etc/systemd/system/reactorium@server.service.d \
    /etc/systemd/system/reactorium@host.service.d /etc/systemd/system.conf.d/reactorium.conf
  now systemctl daemon-reload
  say "the board's settings"
  drop /etc/udev/rules.d/90-reactorium.rules /etc/modules-load.d/reactorium.conf
  boot=$(firmware)
  if [ -n "$boot" ]; then
    without_block "$root$boot/config.txt" | put "$boot/config.txt" 0644
    if [ -e "$root$boot/cmdline.before-reactorium" ]; then
      put "$boot/cmdline.txt" 0644 <"$root$boot/cmdline.before-reactorium"
      drop "$boot/cmdline.before-reactorium"
    fi
  fi
  say "the program"
  drop /opt/reactorium /usr/local/bin/reactorium
  say "What it kept is still there, and its user too: /etc/reactorium, /var/lib/reactorium."
}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "this changes the machine: run it as root"
case $role in
  node)
    say "packages"
    packages python3 python3-venv
    user
    program node
    settings
    hardware
    clock
    unit node
    say "Next: docs/quickstart.md, or: reactorium enrol NAME reactor. A reboot makes the buses available."
    ;;
  server)
    say "packages"
    packages python3 python3-venv
    nginx
    user
    program server
    settings
    clock
    unit server
    say "Next: set REACTORIUM_BIND in /etc/reactorium/.env, then systemctl start reactorium@server"
    ;;
  host)
    say "packages"
    packages python3 python3-venv
    user
    program server,node
    settings
    clock
    unit host
    say "Next: reactorium enrol NAME manager"
    ;;
  remove) remove ;;
  *) fail "what is this machine? node, server, host; or remove" ;;
esac
