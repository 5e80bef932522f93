"""The terminal's faces: what the database says, asked again and again, for people at a terminal and for pipes.

places.py   where one can be, and what is asked for there
cells.py    rows of the database to the cells of a table
draw.py     numbers to text: small courses and plots
picture.py  tables to lines, and which of them changed; board.py, the widget that draws those
app.py      the page itself, on Textual; `poller.py` asks for it in a thread of its own
printing.py `status` and `tail`, for pipes
"""
