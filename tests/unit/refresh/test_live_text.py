"""The config file of live directories: what of the person's files is in it, what is replaced, and that no secret is."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.configloader import load_config
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError
from awsdirenv.refresh.live import Commands, config_text
from awsdirenv.system.files import decode_name

MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/foo"
ROLE = "role_arn = arn:aws:iam::123456789012:role"
SECRET = "SENTINEL-SECRET"
KEYS = f"aws_access_key_id = AKIASENTINEL\naws_secret_access_key = {SECRET}\n"
CREDENTIALS = f"[base]\n{KEYS}"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Zs")), min_size=1)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


class Files:
    """AWS's two files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"HOME": str(folder), "AWS_CONFIG_FILE": str(folder / "config")}
        self.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(folder / "credentials")

    def text(self, config: str, credentials: str = CREDENTIALS, declared: str = "dev", **more: Any) -> str:
        """Write the files and give the live config file."""
        (self.folder / "config").write_text(config, encoding="utf-8")
        (self.folder / "credentials").write_text(credentials, encoding="utf-8")
        environ = self.environ | more.pop("environ", {})
        files = load_files(environ)
        chain = resolve_chain(files, declared, environ)
        return config_text(files, chain, environ, Commands(("awsdirenv",)), SessionOptions(more.get("duration")))

    def parsed(self, *args: str, **more: Any) -> dict[str, Any]:
        """Give the live config file as botocore reads it."""
        (self.folder / "live").write_text(self.text(*args, **more), encoding="utf-8")
        found: dict[str, Any] = load_config(str(self.folder / "live"))
        return found

    def ways(self, *args: str, **more: Any) -> dict[str, str]:
        """Give, by profile, the options of our credential_process, or `kept` for one that we are not asked for."""
        profiles = self.parsed(*args, **more)["profiles"]
        return {name: options(values) for name, values in profiles.items()}


def options(values: dict[str, str]) -> str:
    """Give the options of our credential_process, but for the profile's name."""
    command = values.get("credential_process", "")
    if not command.startswith("awsdirenv credential-process "):
        return "kept"
    return " ".join(word for word in shlex.split(command)[2:] if not word.startswith("--live="))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Make a folder for AWS's files."""
    return Files(tmp_path)


def test_declared(files: Files) -> None:
    """The declared profile keeps its settings, and has its credentials from us alone."""
    nested = "s3 =\n  max_concurrent_requests = 20\n  addressing_style = path\n"
    found = files.parsed(f"[profile dev]\n{ROLE}/dev\nsource_profile = base\n{MFA}\nregion = eu-west-1\n{nested}")
    dev = found["profiles"]["dev"]
    assert dev.pop("credential_process") == "awsdirenv credential-process --live=dev"
    nested_values = {"max_concurrent_requests": "20", "addressing_style": "path"}
    assert dev == {"region": "eu-west-1", "s3": nested_values}


def test_everything_else_is_kept(files: Files) -> None:
    """Profiles that need nobody, sign-ins, services, plug-ins and unknown sections mean what they meant."""
    rest = (
        "[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev\nservices = local\n"
        "[sso-session corp]\nsso_start_url = https://corp\nsso_region = eu-west-1\n"
        "[services local]\ns3 =\n  endpoint_url = http://localhost:1234\n"
        "[plugins]\ncli_legacy_plugin_path = /x\n[preview]\ncloudfront = true\n"
        f"[profile web]\n{ROLE}/web\nweb_identity_token_file = /token\n"
        "[profile process]\ncredential_process = '/a b' --x # not a comment to botocore\n"
        f"[profile several]\nregion = eu-west-1\ncustom = one\n  two\n\n  three\n"
        f"[profile role]\n{ROLE}/role\nsource_profile = base\nOutput : json\n"
        f"[profile broken]\n{ROLE}/broken\nsource_profile = missing\n"
    )
    found = files.parsed(f"[profile dev]\nsource_profile = base\n{ROLE}/dev\n{rest}")
    (files.folder / "rest").write_text(rest, encoding="utf-8")
    expected = load_config(str(files.folder / "rest"))
    for profile in ("dev", "base"):
        del found["profiles"][profile]
    assert found == expected
    assert list(found["profiles"]) == list(expected["profiles"])


CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "a code of its own, and behind one that has": (
        f"[profile one]\n{ROLE}/one\nsource_profile = base\n{MFA}\n[profile two]\n{ROLE}/two\nsource_profile = one\n",
        "",
        {"dev": "", "base": "--keys", "one": "", "two": ""},
    ),
    "without a code": (f"[profile one]\n{ROLE}/one\nsource_profile = base\n", "", {"one": "kept"}),
    "behind the declared one": (f"[profile one]\n{ROLE}/one\nsource_profile = dev\n", "", {"one": ""}),
    "keys with a device": (f"[profile base]\n{MFA}\n[profile one]\n{ROLE}/one\nsource_profile = base\n", "", {
        "base": "", "one": "",
    }),
    "only in the credentials file": ("", f"[only]\n{KEYS}region = us-east-1\n", {"only": "--keys"}),
    "keys in the config file": (f"[profile one]\n{KEYS}", "", {"one": "--keys"}),
    "a pasted session": ("", f"[one]\n{KEYS}aws_session_token = SENTINEL-TOKEN\n", {"one": ""}),
    "half a pair": ("", "[one]\naws_access_key_id = AKIASENTINEL\n", {"one": ""}),
    "a role in the credentials file": ("", f"[one]\n{ROLE}/one\nsource_profile = base\n", {"one": ""}),
    "a role of its own keys": ("", f"[one]\n{ROLE}/one\nsource_profile = one\n{KEYS}", {"one": ""}),
    "behind a role of its own keys": (
        f"[profile two]\n{ROLE}/two\nsource_profile = one\n",
        f"[one]\n{ROLE}/one\nsource_profile = one\n{KEYS}",
        {"two": ""},
    ),
    "a role with keys that do not count": (f"[profile one]\n{ROLE}/one\nsource_profile = base\n{KEYS}", "", {
        "one": "",
    }),
    "settings only in the credentials file": (
        "[profile one]\ncredential_process = x\n", "[one]\nregion = us-east-1\n", {"one": "kept"},
    ),
    "keys that lead nowhere": (f"[profile one]\n{ROLE}/one\n{KEYS}", "", {"one": ""}),
    "a device and no keys": (f"[profile one]\ncredential_process = x\n{MFA}\n", "", {"one": "kept"}),
    "an inclusion with a code": (
        f"[profile team]\n{MFA}\n[profile one]\n{ROLE}/one\nsource_profile = base\ninclude_profile = team\n", "",
        {"one": "", "team": "kept"},
    ),
    "for everybody": (f"[DEFAULT]\n{MFA}\n[profile one]\n{ROLE}/one\nsource_profile = base\n", "", {"one": ""}),
    "the default one": (f"[default]\n{ROLE}/one\nsource_profile = base\n{MFA}\n", "", {"default": ""}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_who_is_replaced(files: Files, case: str) -> None:
    """Who would ask for a code, or has keys in either file, has us to ask; plain keys are given as they are."""
    config, credentials, expected = CASES[case]
    config = f"{config}[profile dev]\n{ROLE}/dev\nsource_profile = base\n"
    found = files.ways(config, CREDENTIALS + credentials)
    assert {name: found[name] for name in expected} == expected
    text = files.text(config, CREDENTIALS + credentials)
    assert "SENTINEL" not in text


def test_a_replaced_profile_says_nothing_else(files: Files) -> None:
    """Nothing is left that an SDK would prefer to our credential_process."""
    every = (
        f"{ROLE}/x\nsource_profile = base\ncredential_source = Environment\nmfa_serial = x\nexternal_id = x\n"
        "role_session_name = x\nduration_seconds = 900\nsso_session = x\nsso_start_url = x\nsso_region = x\n"
        "sso_account_id = x\nsso_role_name = x\nlogin_session = x\ncredential_process = x\n"
        "web_identity_token_file = x\nmfa_process = x\ninclude_profile = x\nRegion = eu-west-1\nunknown = kept\n"
    )
    found = files.parsed(f"[default]\n{every}", f"[default]\n{KEYS}", declared="default")["profiles"]["default"]
    assert found.pop("credential_process").startswith("awsdirenv ")
    assert found == {"region": "eu-west-1", "unknown": "kept"}


def test_device_of_the_environment(files: Files) -> None:
    """Where AWS_MFA_SERIAL names a device, every role behind a key asks for a code; plain keys are left alone."""
    config = f"[profile dev]\nregion = x\n[profile one]\n{ROLE}/one\nsource_profile = base\n"
    assert files.ways(config)["one"] == "kept"
    found = files.ways(config, environ={"AWS_MFA_SERIAL": "arn:aws:iam::123456789012:mfa/foo"})
    assert found == {"dev": "", "one": "", "base": "--keys"}


def test_settings_of_the_credentials_file(files: Files) -> None:
    """Its settings come along and win; what may be a secret of another tool does not."""
    more = (
        f"region = us-east-1\noutput = text\ns3 =\n  addressing_style = path\nmy_password = {SECRET}\ntotp = {SECRET}\n"
    )
    found = files.parsed("[profile dev]\nregion = eu-west-1\n", f"[dev]\n{KEYS}{more}")["profiles"]["dev"]
    del found["credential_process"]
    assert found == {"region": "us-east-1", "output": "text", "s3": {"addressing_style": "path"}}


def test_settings_through_an_inclusion(files: Files) -> None:
    """What a replaced profile includes is written out, because no SDK follows include_profile."""
    config = "[profile team]\nregion = eu-central-1\nendpoint_url = http://x\n[profile dev]\ninclude_profile = team\n"
    found = files.parsed(config)["profiles"]["dev"]
    del found["credential_process"]
    assert found == {"region": "eu-central-1", "endpoint_url": "http://x"}


@pytest.mark.parametrize(
    "text",
    [
        f"# aws_secret_access_key = {SECRET}\n",
        f"; an old one: {SECRET}\n",
        f"custom = x\n  aws_secret_access_key = {SECRET}\n",
        f"custom = x\n  AWS_SECRET_ACCESS_KEY : {SECRET}\n",
        f"s3 =\n  addressing_style = path\n  aws_secret_access_key = {SECRET}\n",
        f"Aws_Secret_Access_Key : {SECRET}\n",
        f"aws_secret_access_key = {SECRET}\n  and more\n",
        f"aws_security_token = {SECRET}\n",
    ],
)
@pytest.mark.parametrize("section", ["[profile dev]", "[profile other]", "[other]", "[DEFAULT]", "[services x]"])
def test_no_secret(files: Files, section: str, text: str) -> None:
    """Wherever and however a secret stands in the config file, it is not copied."""
    assert SECRET not in files.text(f"[profile dev]\nregion = x\n{text if section == '[profile dev]' else ''}"
                                    f"{'' if section == '[profile dev]' else section + chr(10) + text}")  # fmt: skip


NAMES = ["two words", "it's", 'quo"te', "back\\slash", "a]b", "größe 日本", "a#b", "a # b", "; x", "$(reboot)", "-x",
         "--live", "a=b", "%41", "`id`", "x" * 60, "tab\tbed"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names(files: Files, name: str) -> None:
    """A profile's name, however odd, is written so that botocore finds it, and comes back to us as it was."""
    if "\t" in name:  # refused by us everywhere; it must only do no harm
        assert files.ways("[profile dev]\nregion = x\n", f"[{name}]\n{KEYS}") == {"dev": ""}
        return
    found = files.parsed("", f"[{name}]\n{KEYS}", declared=name)["profiles"]
    assert list(found) == [name]
    words = shlex.split(found[name]["credential_process"])
    assert words[:2] == ["awsdirenv", "credential-process"]
    assert decode_name(words[2].removeprefix("--live=")) == name


@given(WORDS, LINES)
@settings(max_examples=200, deadline=None)
def test_any_name_and_value(name: str, value: str) -> None:
    """Whatever botocore finds in the files, it finds in ours, under the same name."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        text = f"[profile dev]\nregion = x\n[profile {json.dumps(name, ensure_ascii=False)}]\noutput = {value}\n"
        (files.folder / "config").write_text(text, encoding="utf-8")
        try:
            expected = load_config(str(files.folder / "config"))["profiles"]
            found = files.parsed(text)["profiles"]
        except AwsdirenvError:
            return  # no such files anywhere
        for profiles in (expected, found):
            profiles.pop("dev", None)
            profiles.pop("base", None)
        assert found == {key: values for key, values in expected.items() if key}


def test_duration(files: Files) -> None:
    """The life that the directory wants is the declared profile's alone."""
    config = (
        f"[profile dev]\n{ROLE}/dev\nsource_profile = base\n[profile one]\n{ROLE}/one\nsource_profile = base\n{MFA}\n"
    )
    assert files.ways(config, duration=7200) == {"dev": "--duration=7200", "one": "", "base": "--keys"}


def test_many_profiles(files: Files) -> None:
    """It takes not much longer than reading the files."""
    section = "[profile p{0}]\n" + f"{ROLE}/r{{0}}\nsource_profile = base\nregion = eu-west-1\n{MFA}\n"
    config = "[profile dev]\nregion = x\n" + "".join(section.format(number) for number in range(1000))
    assert len(files.ways(config)) == 1002

    def processor_time(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    # Twice to four times as long, where each step looks at all profiles a thousand times. Others use the machine, too.
    def both_in_turn() -> bool:
        read = processor_time(lambda: load_files(files.environ))
        return processor_time(lambda: files.text(config)) < 20 * read

    assert any(both_in_turn() for _ in range(3))
