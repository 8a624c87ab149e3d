"""/dev/tty: whether the user is there, how to ask for a line, and how Ctrl-C cancels our step only.

direnv kills its bash on SIGINT, and then all that the `.envrc` has set is lost. So inside direnv we switch off the
signals of keys. Ctrl-C is then a character that ends a line. We can notice that without reading, so what the user types
ahead stays in the queue for the shell. Outside direnv (`exec`) the input may be for a program that reads lines, so
Enter must end a line, and keys make signals as usual.

fish calls direnv with a raw terminal, bash and zsh with a cooked one. So we set every flag that we need, and restore
them all (with TCSADRAIN, because TCSAFLUSH loses what was typed ahead).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from awsdirenv.errors import CancelledError, PersonNeededError
from awsdirenv.system import subprocesses
from awsdirenv.system.clocks import TERMINAL, process_fields
from awsdirenv.system.text import is_set, printable

_CANCEL = b"\x03\x04\x1a\x1c"  # Ctrl-C, Ctrl-D, Ctrl-Z, Ctrl-\
_ERASE, _ERASE_ALL = b"\x7f\x08", b"\x15\x17"  # Backspace erases a letter; Ctrl-U and Ctrl-W erase the line
_TEXTS = (b"]", b"P", b"X", b"^", b"_")  # behind an escape a text begins with these
_LONGEST_ANSWER = 128
# After DIRENV_WARN_TIMEOUT (5 s) direnv writes "is taking a while" into our prompt, and we cannot prevent that.
_NOTICE_AFTER = 5.3
_POLL = 0.05  # seconds
_FIRST_PTS = 136  # the first of the major device numbers of pseudo-terminals; each has 256 of them
_PANE = "#{session_name}:#{window_index}.#{pane_index}"
_TMUX_TIMEOUT = 1  # seconds
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6
# Ctrl-Y and Ctrl-T of BSD and macOS: they stop a program, and print a line about it. Python may not have their names,
# but by the numbers of the other keys we know whose terminal it is.
_KEYS_OF_BSD = (11, 18) if termios.VEOL == 1 else ()


class Terminal:
    """The terminal of a user who can answer."""

    def __init__(self, descriptor: int, again: str) -> None:
        """Create it for an open /dev/tty. `again` is the command that the user can type to get the question again."""
        self._descriptor = descriptor
        self._again = again
        self._saved: list[Any] = termios.tcgetattr(descriptor)
        self._unasked = self._saved  # the mode while there is no question
        self._watching = threading.Event()
        self._waiting = 0
        self._started = time.monotonic()
        self._is_hidden = False
        self.was_cancelled_by_key = False

    @classmethod
    def of_human(cls, environ: Mapping[str, str], again: str, *, beside_program: bool = False) -> Terminal | None:
        """Return the terminal, or None if nobody can answer: without a terminal, in the background, or in CI.

        stdin proves nothing: direnv can close it, and editors leave it open. A /dev/tty that can be opened proves
        nothing either: Emacs' envrc has one that nobody sees. So stderr must be a terminal, too. If another program has
        our stderr, the terminal must be in line mode instead: then no editor is drawing on it.
        """
        descriptor = open_in_foreground(environ) if beside_program or os.isatty(2) else None
        if descriptor is None:
            return None
        with contextlib.suppress(termios.error):
            terminal = cls(descriptor, again)
            if not beside_program or terminal._saved[_LFLAG] & termios.ICANON:
                return terminal
        os.close(descriptor)
        return None

    @property
    def name(self) -> str:
        """The terminal's device, such as /dev/pts/3, for messages to other processes. "" if it is unknown."""
        # In a live directory stderr may be a pipe. The name of what we have opened is only /dev/tty.
        with contextlib.suppress(OSError, ValueError, IndexError):
            device = int(process_fields("self")[TERMINAL])
            number = os.minor(device) + (os.major(device) - _FIRST_PTS) * 256
            if os.stat(name := f"/dev/pts/{number}").st_rdev == device:
                return name
        with contextlib.suppress(OSError):
            return os.ttyname(2)
        return ""

    def place(self, environ: Mapping[str, str]) -> str:
        """Return the terminal's name, and its pane in tmux, such as `/dev/pts/3 (tmux work:1.0)`."""
        pane = environ.get("TMUX_PANE", "")
        if not environ.get("TMUX") or not re.fullmatch(r"%[0-9]{1,9}", pane):
            return self.name
        asked = ("tmux", "display-message", "-p", "-t", pane, f"#{{pane_tty}} {_PANE}")
        with contextlib.suppress(OSError, subprocesses.StillRunningError, subprocesses.TooMuchOutputError):
            answer = subprocesses.run(asked, _TMUX_TIMEOUT, catch_errors=True).output.decode("utf-8", "replace")
            # A terminal that was opened from a pane has the pane's variables, too.
            if answer.startswith(f"{self.name} "):
                return f"{self.name} (tmux {printable(answer.strip().partition(' ')[2])})"
        return self.name

    @contextlib.contextmanager
    def guarded(self, *, within_direnv: bool) -> Iterator[None]:
        """Turn Ctrl-C and Ctrl-Z into KeyboardInterrupt. At the end always restore the terminal and close it."""
        handlers = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
        # Restoring the terminal must work from the background, too.
        handlers[signal.SIGTTOU] = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if not within_direnv:  # a process that Ctrl-Z has stopped would keep its locks
            handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.default_int_handler)
        try:
            with self._watch_keys() if within_direnv else contextlib.nullcontext():
                yield
        finally:
            self._set(self._saved)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(self._descriptor)

    def ask(self, prompt: str, timeout: float) -> str:
        """Ask for a line. Use it inside `guarded` only.

        Raises CancelledError for Ctrl-C, Ctrl-D, Ctrl-Z and an empty answer, PersonNeededError after `timeout` seconds.
        """
        self._watching.clear()
        self._set(self._raw())
        try:
            answer = self._edit_line(prompt, time.monotonic() + timeout)
        finally:
            self._write("\r\n")
            self._set(self._unasked)
            self._waiting = self._waiting_bytes()  # the change to line mode makes one line of what was typed ahead
            self._watching.set()
        if answer:
            return answer
        raise CancelledError("no MFA code was given", self._again)

    def ask_hidden(self, prompt: str, timeout: float) -> str:
        """Ask for a secret as `ask` does, and do not show what is typed."""
        self._is_hidden = True
        try:
            return self.ask(prompt, timeout)
        finally:
            self._is_hidden = False

    def say(self, line: str) -> None:
        """Write a line for the user."""
        self._write(line + "\r\n")

    def _edit_line(self, prompt: str, deadline: float) -> str:
        self._write(prompt)
        typed = b""
        redraw_at: float | None = self._started + _NOTICE_AFTER
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise PersonNeededError("nobody gave the MFA code in time", self._again)
            if redraw_at is not None and now >= redraw_at:
                if now < redraw_at + 1:  # if it is later, direnv's notice was there before the question
                    self._write(f"\r\x1b[K{prompt}{self._seen(typed)}")
                redraw_at = None
            if not self._readable(min(deadline, redraw_at or deadline) - now):
                continue
            byte = self._read_byte()
            if byte in (b"\r", b"\n"):
                return _text(typed)
            if byte == b"" or byte in _CANCEL:
                error = CancelledError("the MFA code was not given", self._again)
                error.is_interrupt = byte == b"\x03"
                raise error
            typed = self._edit(typed, byte, prompt)

    def _edit(self, typed: bytes, byte: bytes, prompt: str) -> bytes:
        if byte in _ERASE or byte in _ERASE_ALL:
            remaining = _text(typed)[:-1] if byte in _ERASE else ""
            # A letter may have several bytes or columns, so we draw the whole line again.
            self._write(f"\r\x1b[K{prompt}{self._seen(remaining.encode())}")
            return remaining.encode()
        if byte == b"\x1b":
            self._swallow_escape()
        elif byte >= b" " and len(typed) < _LONGEST_ANSWER:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, byte if not self._is_hidden else b"")
            return typed + byte
        return typed

    def _seen(self, typed: bytes) -> str:
        return "" if self._is_hidden else _text(typed)

    def _swallow_escape(self) -> None:
        """Skip the bytes behind an escape, which arrive together: of a key, of a paste, of an answer of the terminal.

        A shell or a theme may have asked for its colours just before. The answer is a text with an end of its own.
        """
        while (kind := self._next_byte()) == b"\x1b":  # of Alt and an arrow key there are two
            pass
        if kind in _TEXTS:
            before = kind
            while (byte := self._next_byte()) not in (b"", b"\x07") and before + byte != b"\x1b\\":
                before = byte
        elif kind == b"[":
            byte = self._next_byte()
            if byte == b"[":  # a function key of Linux's console
                byte = self._next_byte()
            while byte and not b"\x40" <= byte <= b"\x7e":
                byte = self._next_byte()
        elif kind == b"O":  # an arrow key, in some modes
            self._next_byte()

    def _next_byte(self) -> bytes:
        """Return the next byte of what arrives together, b"" if nothing comes."""
        return self._read_byte() if self._readable(0.02) else b""

    def _readable(self, timeout: float) -> bool:
        return bool(select.select([self._descriptor], [], [], max(timeout, 0))[0])

    def _read_byte(self) -> bytes:
        with contextlib.suppress(OSError):
            return os.read(self._descriptor, 1)  # only one: what was typed after Enter belongs to the shell
        return b""  # the terminal is gone

    @contextlib.contextmanager
    def _watch_keys(self) -> Iterator[None]:
        self._unasked = self._quiet()
        self._set(self._unasked)
        self._waiting = self._waiting_bytes()
        self._watching.set()
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join(1)  # after the descriptor is closed, its number may belong to another file

    def _watch(self, ended: threading.Event) -> None:
        """Wait for a cancelling key. In the quiet mode only such a key ends a line and so makes it readable."""
        while not ended.wait(_POLL):
            if not self._watching.is_set():
                continue
            present = self._waiting_bytes()
            if present > self._waiting and self._watching.is_set():
                self._take_cancelled_line()
                self.was_cancelled_by_key = True
                os.kill(os.getpid(), signal.SIGINT)  # interrupts the main thread in a system call, too
                return
            self._waiting = min(self._waiting, present)

    def _take_cancelled_line(self) -> None:
        """Remove the key and what was typed before it from the queue. The terminal itself does the same on Ctrl-C."""
        with contextlib.suppress(OSError):
            while self._waiting_bytes() and os.read(self._descriptor, 4096)[-1:] not in (b"\x03", b"\x1a"):
                pass

    def _waiting_bytes(self) -> int:
        with contextlib.suppress(OSError):
            return int.from_bytes(fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
        return 0

    def _quiet(self) -> list[Any]:
        """Return a mode where keys make no signals, and only Ctrl-C and Ctrl-Z end a line."""
        mode = self._copy()
        mode[_IFLAG] &= ~(termios.ICRNL | termios.INLCR)
        mode[_LFLAG] = mode[_LFLAG] & ~termios.ISIG | termios.ICANON | termios.IEXTEN
        disabled = bytes([os.fpathconf(self._descriptor, "PC_VDISABLE")])
        mode[_CC][termios.VEOL], mode[_CC][termios.VEOL2], mode[_CC][termios.VEOF] = b"\x03", b"\x1a", disabled
        for key in _KEYS_OF_BSD:
            mode[_CC][key] = disabled
        return mode

    def _raw(self) -> list[Any]:
        """Return a mode where we get each byte and echo it: the same in every shell, so that we can redraw the line."""
        mode = self._copy()
        mode[_LFLAG] &= ~(termios.ISIG | termios.ICANON | termios.ECHO | termios.IEXTEN)
        mode[_OFLAG] |= termios.OPOST
        mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
        return mode

    def _copy(self) -> list[Any]:
        return [*self._saved[:_CC], list(self._saved[_CC])]

    def _set(self, mode: list[Any]) -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, mode)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text.encode("utf-8", "replace"))


def open_in_foreground(environ: Mapping[str, str]) -> int | None:
    """Open /dev/tty. None if there is none, in the background (a read would stop the job), and in CI."""
    with contextlib.suppress(OSError):
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if os.tcgetpgrp(descriptor) == os.getpgrp() and not is_set(environ.get("CI")):
            return descriptor
        os.close(descriptor)
    return None


def _text(typed: bytes) -> str:
    return typed.decode("utf-8", "replace")


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
