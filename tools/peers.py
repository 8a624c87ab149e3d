"""What people use where we are not: programs and lines of an `.envrc` that give AWS credentials to a directory.

They are installed into build/peers, from PyPI; the AWS CLI 2, which is not there, is Debian's, with what it needs from
PyPI. What cannot be had here is left out, with one line that says why.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from debian import archive, unpack
from timing import SHELLS_AT_ONCE, Case, Cost, at_once, in_turn
from world import World

BUILD = Path(__file__).resolve().parent.parent / "build" / "peers"
PROFILE = "plain"
# Debian's release whose AWS CLI 2 is taken, and what it says that it needs.
_SUITE = "trixie"
_NEEDED_BY_CLI = (
    *("awscrt==0.23.4", "colorama<0.4.7", "cryptography", "distro<1.9", "docutils<0.20", "jmespath<1.1"),
    *("prompt-toolkit<3.0.39", "python-dateutil<=2.9.0", "ruamel.yaml<=0.17.21", "urllib3<1.27", "zipp<3.21"),
)
_FROM_PYPI = {
    "awsume": ("awsume", "setuptools<81"),  # it imports pkg_resources and does not say so
    "aws-export-credentials": ("aws-export-credentials", "boto3<1.36"),  # with a later one it fails, since 0.18
}
_ASSUME_ROLE = "aws sts assume-role --profile base --role-arn {arn} --role-session-name me --output json"
_EXPORT = (
    "export AWS_ACCESS_KEY_ID=\\(.AccessKeyId) AWS_SECRET_ACCESS_KEY=\\(.SecretAccessKey)"
    " AWS_SESSION_TOKEN=\\(.SessionToken)"
)
_BY_HAND = f"""eval "$({_ASSUME_ROLE} | jq -r '.Credentials | "{_EXPORT}"')"
"""
_BY_HAND_WITH_FILE = f"""
file=$HOME/.cache/by-hand.json
[[ $(jq -r .Credentials.Expiration "$file" 2>/dev/null) > $(date -u +%FT%T) ]] ||
  (umask 077; {_ASSUME_ROLE} >"$file")
eval "$(jq -r '.Credentials | "{_EXPORT}"' "$file")"
"""


class CannotBeHadError(Exception):
    """A peer is not to be had here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """One way to get credentials into a directory: its name with the version, its `.envrc`, and where it keeps them."""

    name: str
    envrc: str
    kept: tuple[str, ...] = ()  # below the home

    def folder(self, world: World) -> Path:
        """Give the directory that has it."""
        return world.root / f"peer {self.name}"

    def forget(self, world: World) -> None:
        """Make its next load a cold one."""
        for path in (world.home / name for name in self.kept):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Figures:
    """What entering a directory costs with one peer, or with us: milliseconds, and what fifty shells do at once."""

    name: str
    warm: float
    ratio: float  # of `warm` to static exports, in the same rounds
    cold: float
    crowd: float
    calls: int  # of STS, by all fifty
    served: int


def prepare(world: World, arn: str) -> tuple[list[Peer], dict[str, str]]:
    """Install the peers and make a directory for each; give those that work here, and the environment for them.

    `arn` is that of the role of PROFILE.
    """
    peers, environ = list[Peer](), without_us(world)
    for make in (_awsume, _aws_export_credentials, _aws_cli, _by_hand, _by_hand_with_file):
        try:
            peer = make(arn)
            world.project(peer.folder(world).name, peer.envrc)
            peer.forget(world)
            _check(peer, world, environ)
        except (CannotBeHadError, OSError, subprocess.SubprocessError) as error:
            print(f"# not measured: {make.__name__.strip('_').replace('_', '-')}: {error}")
        else:
            peers.append(peer)
            print(f"# measured beside us: {peer.name}")
    return peers, environ


def cases(world: World, peers: Iterable[Peer], environ: dict[str, str]) -> dict[str, Case]:
    """Give what a shell's hook runs in the directory of each peer, by the peer's name."""
    return {peer.name: (["direnv", "export", "bash"], peer.folder(world), environ) for peer in peers}


def compare(
    warm: Mapping[str, list[Cost]],
    floor: list[Cost],
    beside: Mapping[str, tuple[Case, Callable[[], None]]],
    world: World,
    rounds: int,
) -> list[Figures]:
    """Measure the rest of the figures in turn, for all for whom `warm` has costs.

    `beside` has their cases and what makes the next load a cold one.
    """
    forget = {name: forget for name, (_, forget) in beside.items()}
    cold = in_turn({name: case for name, (case, _) in beside.items()}, max(5, rounds // 3), forget, unused=1)
    crowds: dict[str, list[tuple[float, int, int]]] = {name: [] for name in beside}
    for _ in range(max(1, rounds // 15)):
        for name, ((_, folder, environ), forget_it) in beside.items():
            forget_it()
            before = world.sts.count("AssumeRole") + world.sts.count("GetSessionToken")
            seconds, served = at_once(folder, environ)
            calls = world.sts.count("AssumeRole") + world.sts.count("GetSessionToken") - before
            crowds[name].append((seconds, calls, served))
    return [
        Figures(
            name,
            _milliseconds(warm[name]),
            statistics.median(a.wall / b.wall for a, b in zip(warm[name], floor, strict=True)),
            _milliseconds(cold[name]),
            statistics.median(seconds for seconds, _, _ in crowds[name]) * 1e3,
            round(statistics.median(calls for _, calls, _ in crowds[name])),
            min(served for _, _, served in crowds[name]),
        )
        for name in beside
    ]


def line(figures: Figures) -> str:
    """Give the line of the table."""
    served = "all served" if figures.served == SHELLS_AT_ONCE else f"{figures.served} served"
    return (
        f"{figures.name:52} warm {figures.warm:6.1f} ms ({figures.ratio:5.2f} x static exports)  "
        f"cold {figures.cold:6.0f} ms  {SHELLS_AT_ONCE} at once {figures.crowd / 1e3:5.1f} s, "
        f"{figures.calls} calls of STS, {served}"
    )


def _milliseconds(costs: list[Cost]) -> float:
    return statistics.median(cost.wall for cost in costs) * 1e3


def without_us(world: World) -> dict[str, str]:
    """Give the environment of a person who has the peers, and has never installed us."""
    path = f"{BUILD / 'bin'}:{world.env['PATH']}"
    config = world.root / "direnv-without-us"
    return {**world.env, "DIRENV_CONFIG": str(config), "PATH": path, "AWS_PAGER": ""}


def _check(peer: Peer, world: World, environ: dict[str, str]) -> None:
    done = world.process("direnv", "export", "json", cwd=peer.folder(world), **environ)
    if "AWS_SESSION_TOKEN" not in done.stdout:
        said = [line for line in done.stderr.splitlines() if line and not line.startswith("direnv: ")]
        raise CannotBeHadError(f"it gives no credentials: {said[-1] if said else 'and says nothing'}")


def _awsume(_arn: str) -> Peer:
    version = _link_from_pypi("awsume", "awsume", "awsumepy")
    return Peer(f"awsume {version}", f"source awsume {PROFILE}\n", (".awsume/cache", ".aws/cli/cache"))


def _aws_export_credentials(_arn: str) -> Peer:
    version = _link_from_pypi("aws-export-credentials", "aws-export-credentials")
    line = 'eval "$(aws-export-credentials --profile {} --env-export --cache-file ~/.cache/exported.json)"\n'
    return Peer(f"aws-export-credentials {version}", line.format(PROFILE), (".cache/exported.json",))


def _aws_cli(_arn: str) -> Peer:
    name = _link_cli()
    line = f'eval "$(aws configure export-credentials --profile {PROFILE} --format env)"\n'
    return Peer(f"aws configure export-credentials, {name}", line, (".aws/cli/cache",))


def _by_hand(arn: str) -> Peer:
    _need_jq()
    return Peer(f"by hand, each time: sts assume-role, {_link_cli()}", _BY_HAND.format(arn=arn))


def _by_hand_with_file(arn: str) -> Peer:
    _need_jq()
    return Peer(
        f"by hand, kept in a file: sts assume-role, {_link_cli()}",
        _BY_HAND_WITH_FILE.format(arn=arn),
        (".cache/by-hand.json",),
    )


def _need_jq() -> None:
    if shutil.which("jq") is None:
        raise CannotBeHadError("jq is not installed")


def _venv(name: str, packages: tuple[str, ...]) -> Path:
    """Give a virtual environment with packages, made once."""
    folder = BUILD / name
    made = folder / ".made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)
        made.touch()
    return folder


def _link_from_pypi(package: str, *programs: str) -> str:
    """Put programs into the folder of PATH, without the Python that stands beside them; give the package's version."""
    folder = _venv(package, _FROM_PYPI[package])
    for program in programs:
        _empty_place(program).symlink_to(folder / "bin" / program)
    line = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [folder / "bin" / "python", "-c", line], capture_output=True, text=True, check=True
    ).stdout.strip()


def _empty_place(program: str) -> Path:
    (BUILD / "bin").mkdir(parents=True, exist_ok=True)
    path = BUILD / "bin" / program
    path.unlink(missing_ok=True)
    return path


def _link_cli() -> str:
    """Put the AWS CLI 2 into the folder of PATH; give its name with the version."""
    if archive() is None:
        raise CannotBeHadError("the AWS CLI 2 is not on PyPI, and this is no Debian")
    python = _venv("cli-needs", _NEEDED_BY_CLI) / "bin" / "python"
    folder = BUILD / "cli"
    packages = folder / "usr" / "lib" / "python3" / "dist-packages"
    if not (folder / ".made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        unpack(folder, _SUITE, ("awscli",))
        _run(str(python), "-m", "compileall", "-qq", "-j", "0", str(packages))
        # As a package of pip's has it: no search along PYTHONPATH.
        site = next((BUILD / "cli-needs" / "lib").glob("python*/site-packages"))
        (site / "cli.pth").write_text(f"{packages}\n", encoding="utf-8")
        (folder / ".made").touch()
    program = _empty_place("aws")
    program.write_text(f"#!{python}\nimport sys\n\nfrom awscli.clidriver import main\n\nsys.exit(main())\n", "utf-8")
    program.chmod(0o755)
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return "AWS CLI " + done.stdout.partition("/")[2].partition(" ")[0]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise CannotBeHadError(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {''.join(last)}")
