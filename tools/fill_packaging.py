"""Fills in the packaging of a release: `tools/fill_packaging.py URL HOMEPAGE [--draft]`, after `make dist`.

URL is where the sdist of `dist/` will be found, HOMEPAGE the project's page. The dependencies that pip would install
now become the formula's resources, with the addresses and checksums that the package index gives for them. With
`--draft` they may be files of this machine.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_RESOURCE = '  resource "{name}" do\n    url "{url}"\n    sha256 "{sha256}"\n  end\n'


def main() -> None:
    """Write `dist/packaging`."""
    url, homepage, *draft = sys.argv[1:]
    sdist, wheel = (next((_ROOT / "dist").glob(f"awsdirenv-*{end}")) for end in (".tar.gz", ".whl"))
    values = {
        "URL": url,
        "HOMEPAGE": homepage,
        "VERSION": sdist.name.removeprefix("awsdirenv-").removesuffix(".tar.gz"),
        "SHA256": hashlib.sha256(sdist.read_bytes()).hexdigest(),
    }
    target = _ROOT / "dist" / "packaging"
    target.mkdir(exist_ok=True)
    for name in ("PKGBUILD", "awsdirenv.rb"):
        text = (_ROOT / "packaging" / name).read_text(encoding="utf-8").partition("\n")[2]
        if "# @RESOURCES@\n" in text:
            text = text.replace("# @RESOURCES@\n", "\n".join(_resources(wheel, is_draft=draft == ["--draft"])))
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        (target / name).write_text(text, encoding="utf-8")
        print(target / name)


def _resources(wheel: Path, *, is_draft: bool) -> list[str]:
    # All dependencies are pure Python, and Homebrew takes such wheels: what their sources are built with is spared.
    words = ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", str(wheel)]
    done = subprocess.run([sys.executable, "-m", "pip", *words], stdout=subprocess.PIPE, check=True)
    found = []
    for one in json.loads(done.stdout)["install"]:
        name, source = one["metadata"]["name"], one["download_info"]
        if name != "awsdirenv":
            if not source["url"].endswith("py3-none-any.whl") or (source["url"].startswith("file:") and not is_draft):
                sys.exit(f"this will not do for others: {source['url']}")
            sha256 = source["archive_info"]["hashes"]["sha256"]
            found.append(_RESOURCE.format(name=name, url=source["url"], sha256=sha256))
    return sorted(found)


if __name__ == "__main__":
    main()
