"""Shapes of `.envrc` files that give AWS credentials without us, as people have them, and what each becomes.

KEY_ID and SECRET_KEY stand for the keys of the profile `base`. The profiles are `base` (an IAM user), `x` and `y`
(roles behind it), `dev` (Identity Center), `empty` (a region and nothing else).
"""

from __future__ import annotations

from dataclasses import dataclass, field

ARN = "arn:aws:iam::123456789012:role/x"
UNCLEAR = "this is not clear: "
TWO = "names two identities, in line "


@dataclass(frozen=True)
class Shape:
    """An `.envrc` and what it becomes: its new text, None for nothing to move, or an error that begins with `!`."""

    name: str
    text: str
    after: str | None
    dotenv: str | None = None
    notes: tuple[str, ...] = ()
    runs: bool = False  # the old and the new one are run by the real direnv, too
    files: dict[str, str] = field(default_factory=dict)  # others beside it


def _same(name: str, text: str, after: str | None, *notes: str, dotenv: str | None = None, **files: str) -> Shape:
    return Shape(name, text, after, dotenv, notes, runs=False, files=files)


def _runs(name: str, text: str, after: str, *notes: str, dotenv: str | None = None) -> Shape:
    return Shape(name, text, after, dotenv, notes, runs=True)


LIVE = "line 2 uses AWS_PROFILE, which is set only with --live"
BY_BASH = "only bash knows the profile's name, so we have not checked it"
SESSION = "the keys become a session of the same user; for most of IAM, add --no-session"
ASSUME = f"aws sts assume-role --profile base --role-arn {ARN} --role-session-name s"
ASSUMED = f"""CREDS=$(aws sts assume-role --profile base --role-arn {ARN} --role-session-name me --output json)
export AWS_ACCESS_KEY_ID=$(echo "$CREDS" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$CREDS" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$CREDS" | jq -r .Credentials.SessionToken)
"""
PRINTED = f"""export $(printf "AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s" \\
  $(aws sts assume-role --profile base --role-arn {ARN} --role-session-name me \\
    --query "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]" --output text))
"""
KEYS = "export AWS_ACCESS_KEY_ID=KEY_ID\nexport AWS_SECRET_ACCESS_KEY=SECRET_KEY\n"
CONFIGURED = """export AWS_ACCESS_KEY_ID=$(aws configure get aws_access_key_id --profile base)
export AWS_SECRET_ACCESS_KEY=$(aws --profile base configure get aws_secret_access_key)
"""
FUNCTION = """use_aws() {
  local profile="${1:-base}"
  [[ -z $profile ]] && return 1
  export AWS_PROFILE="$profile"
  log_status "aws profile $profile"
}
"""

PLAIN = [
    _runs("plain", "export AWS_PROFILE=x\n", "use aws_profile x\n"),
    _runs(
        "no newline at the end", "layout_none() { :; }\nexport AWS_PROFILE=x", "layout_none() { :; }\nuse aws_profile x"
    ),
    _same("double quotes", 'export AWS_PROFILE="x"\n', "use aws_profile x\n"),
    _same("single quotes and a comment", "export AWS_PROFILE='x' # the one\n", "use aws_profile x # the one\n"),
    _same("quoted as a whole", 'export "AWS_PROFILE=x"\n', "use aws_profile x\n"),
    _same("the older variable", "export AWS_DEFAULT_PROFILE=x\n", "use aws_profile x\n"),
    _same("both variables", "export AWS_PROFILE=x\nexport AWS_DEFAULT_PROFILE=x\n", "use aws_profile x\n"),
    _runs("in two statements", "AWS_PROFILE=x; export AWS_PROFILE\n", "use aws_profile x\n"),
    _same("on two lines", "AWS_PROFILE=x\nexport AWS_PROFILE\nlayout go\n", "use aws_profile x\nlayout go\n"),
    _same("declare", "declare -x AWS_PROFILE=x\n", "use aws_profile x\n"),
    _same("typeset", "typeset -x AWS_PROFILE=x\n", "use aws_profile x\n"),
    _runs("all exported", "set -a\nAWS_PROFILE=x\nset +a\n", "set -a\nuse aws_profile x\nset +a\n"),
    _runs("with another one", "export A=1 AWS_PROFILE=x\nexport B=2\n", "export A=1\nuse aws_profile x\nexport B=2\n"),
    _same("before another one", "export AWS_PROFILE=x A=1 # two\n", "export A=1; use aws_profile x # two\n"),
    _same("indented", "  export AWS_PROFILE=x\n", "  use aws_profile x\n"),
    _same("with its command", "export AWS_PROFILE=x; aws s3 ls\n", "use aws_profile x; aws s3 ls\n"),
    _same(
        "after a here-document",
        "cat <<E >f\nexport AWS_PROFILE=y\nE\nexport AWS_PROFILE=x\n",
        "cat <<E >f\nexport AWS_PROFILE=y\nE\nuse aws_profile x\n",
    ),
    _same(
        "cleared first", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\nexport AWS_PROFILE=x\n", "use aws_profile x\n"
    ),
    _same(
        "emptied first",
        "export AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=\nexport AWS_PROFILE=x\n",
        "use aws_profile x\n",
    ),
    _same(
        "strict",
        "set -euo pipefail\nstrict_env\nexport AWS_PROFILE=x\n",
        "set -euo pipefail\nstrict_env\nuse aws_profile x\n",
    ),
    _same(
        "with other tools",
        "use flake\nlayout python3\nexport KUBECONFIG=$PWD/kube\nPATH_add bin\nexport AWS_PROFILE=x\n",
        "use flake\nlayout python3\nexport KUBECONFIG=$PWD/kube\nPATH_add bin\nuse aws_profile x\n",
    ),
    _same(
        "settings that stay",
        "export AWS_PAGER=\nexport AWS_SDK_LOAD_CONFIG=1\nexport AWS_PROFILE=x\n",
        "export AWS_PAGER=\nexport AWS_SDK_LOAD_CONFIG=1\nuse aws_profile x\n",
        "AWS_SDK_LOAD_CONFIG stays; old SDKs need it with --live only",
    ),
    _same(
        "its account",
        "export AWS_PROFILE=x\nexport AWS_ACCOUNT_ID=123456789012\n",
        "use aws_profile x\nexport AWS_ACCOUNT_ID=123456789012\n",
    ),
    _same("not in a comment", "# export AWS_PROFILE=x\nlayout python\n", None),
    _same("nothing of AWS", 'eval "$(direnv stdlib)"\nexport $i\n', None),
    _same("a region only", "export AWS_REGION=eu-west-1\n", None),
]

REGIONS = [
    _runs("a region", "export AWS_PROFILE=x\nexport AWS_REGION=eu-west-3\n", "use aws_profile x --region eu-west-3\n"),
    _same(
        "both regions",
        "export AWS_DEFAULT_REGION=eu-west-3\nexport AWS_REGION=eu-west-3\nexport AWS_PROFILE=x\n",
        "use aws_profile x --region eu-west-3\n",
    ),
    _same("in one statement", "export AWS_PROFILE=x AWS_REGION=eu-west-3\n", "use aws_profile x --region eu-west-3\n"),
    _same("with &&", "export AWS_PROFILE=x && export AWS_REGION=eu-west-3\n", "use aws_profile x --region eu-west-3\n"),
    _same(
        "on one line",
        "export AWS_PROFILE=x; export AWS_REGION=eu-west-3; export C=1\n",
        "use aws_profile x --region eu-west-3; export C=1\n",
    ),
    _same(
        "with a comment",
        "export AWS_PROFILE=x\nexport AWS_REGION=eu-west-3 # Paris\n",
        "use aws_profile x --region eu-west-3\n# Paris\n",
    ),
    _same(
        "used above",
        "export AWS_REGION=eu-west-3\nexport B=b-$AWS_REGION\nexport AWS_PROFILE=x\n",
        "export AWS_REGION=eu-west-3\nexport B=b-$AWS_REGION\nuse aws_profile x --region eu-west-3\n",
    ),
    _runs(
        "by a variable",
        "export AWS_REGION=${R:-eu-west-3}\nexport AWS_PROFILE=x\n",
        "export AWS_REGION=${R:-eu-west-3}\nuse aws_profile x\n",
    ),
    _same("by a variable, below", "export AWS_PROFILE=x\nexport AWS_REGION=$R\n", f"!:2: {UNCLEAR}the region"),
    _same(
        "two",
        "export AWS_PROFILE=x\nexport AWS_REGION=a AWS_DEFAULT_REGION=b\n",
        f"!:2: {UNCLEAR}there are two regions",
    ),
]

VARIABLES = [
    _runs("a variable", "P=x\nexport AWS_PROFILE=$P\n", 'P=x\nuse aws_profile "$P"\n'),
    _same("a part", "export P=x\nexport AWS_PROFILE=${P}\n", 'export P=x\nuse aws_profile "${P}"\n'),
    _runs("a default", "export AWS_PROFILE=${AWS_PROFILE:-x}\n", 'use aws_profile "${AWS_PROFILE:-x}"\n', BY_BASH),
    _same("of the person", 'export AWS_PROFILE="$WHO-dev"\n', 'use aws_profile "$WHO-dev"\n', BY_BASH),
    _runs("a command", "export AWS_PROFILE=$(echo x)\n", 'use aws_profile "$(echo x)"\n', BY_BASH),
    _same(
        "assigned by default",
        ': "${AWS_PROFILE:=x}"\nexport AWS_PROFILE\n',
        'use aws_profile "${AWS_PROFILE:-x}"\n',
        BY_BASH,
    ),
    _same(
        "a variable of the file above",
        "source_up\nexport AWS_PROFILE=${AWS_PROFILE:-x}\n",
        f"!:2: {UNCLEAR}which profile another file gives it",
    ),
    _same(
        "used below",
        "export AWS_PROFILE=x\nexport TF_VAR_p=$AWS_PROFILE\n",
        "use aws_profile x --live\nexport TF_VAR_p=$AWS_PROFILE\n",
        LIVE,
    ),
    _same(
        "given to the AWS CLI",
        'export AWS_PROFILE=x\nA=$(aws --profile "$AWS_PROFILE" s3 ls)\n',
        'use aws_profile x --live\nA=$(aws --profile "$AWS_PROFILE" s3 ls)\n',
        LIVE,
    ),
    _same(
        "required below",
        "export AWS_PROFILE=x\nenv_vars_required AWS_PROFILE\n",
        "use aws_profile x --live\nenv_vars_required AWS_PROFILE\n",
        LIVE,
    ),
    _same(
        "and keys used below",
        "export AWS_PROFILE=x\nexport A=$AWS_PROFILE B=$AWS_ACCESS_KEY_ID\n",
        f"!:2: {UNCLEAR}AWS_PROFILE and a key: a directory has only one of them",
    ),
    _same(
        "another one for a command",
        "export AWS_PROFILE=x\nAWS_PROFILE=y terraform output\n",
        "use aws_profile x --live\nAWS_PROFILE=y terraform output\n",
        LIVE,
    ),
]

FUNCTIONS = [
    _runs("an own function", f"{FUNCTION}use aws x\n", "use aws_profile x\n"),
    _same("its default", f"{FUNCTION}use aws\nlayout go\n", "use aws_profile base\nlayout go\n"),
    _same("called by its name", "aws_env() { export AWS_PROFILE=$1; }\naws_env x\n", "use aws_profile x\n"),
    _same(
        "as a layout",
        "layout_aws() {\n  AWS_PROFILE=$1\n  export AWS_PROFILE\n}\nlayout aws x\n",
        "use aws_profile x\n",
    ),
    _runs(
        "of our name",
        'use_aws_profile() { export AWS_PROFILE="$1" AWS_REGION=$2; }\nuse aws_profile x eu-west-3\n',
        "use aws_profile x --region eu-west-3\n",
    ),
    _same("in the old style", "function use_aws {\n  export AWS_PROFILE=$1\n}\nuse aws x\n", "use aws_profile x\n"),
    _same("unknown", "use aws x\n", f"!:1: {UNCLEAR}use_aws, which is not defined in any file that we know"),
    _same(
        "that does more",
        "use_aws() { export AWS_PROFILE=$1; kubectl config use-context $1; }\nuse aws x\n",
        f"!:2: {UNCLEAR}the function use_aws: `kubectl` in the function use_aws",
    ),
    _same(
        "with a condition",
        "use_aws() { if [ $1 ]; then export AWS_PROFILE=$1; fi; }\nuse aws x\n",
        f"!:2: {UNCLEAR}the function use_aws: AWS_PROFILE inside a condition",
    ),
    _same(
        "that a variable calls",
        "use_aws() { export AWS_PROFILE=$1; }\nuse aws $P\n",
        f"!:2: {UNCLEAR}the arguments of use_aws",
    ),
]

PROGRAMS = [
    _runs(
        "aws-vault exec",
        "eval \"$(aws-vault exec x -- env | grep AWS_ | sed 's/^/export /')\"\n",
        "use aws_profile x\n",
    ),
    _runs("aws-vault export", 'eval "$(aws-vault export x --format=export-env)"\n', "use aws_profile x\n"),
    _runs(
        "aws-vault, sourced",
        "source <(aws-vault exec -d2h x -- env | grep ^AWS | sed -e 's/^/export /')\n",
        "use aws_profile x --duration 2h\n",
    ),
    _runs("aws-vault, exported", "export $(aws-vault exec x -- env | grep ^AWS_ | xargs)\n", "use aws_profile x\n"),
    _same("aws-vault, in backquotes", "eval `aws-vault export --format=export-env x`\n", "use aws_profile x\n"),
    _same(
        "aws-vault without a session",
        'eval "$(aws-vault export -n --format=export-env base)"\n',
        "use aws_profile base --no-session\n",
    ),
    _same(
        "aws-vault by a variable",
        'export AWS_PROFILE=x\neval "$(aws-vault export $AWS_PROFILE)"\n',
        "use aws_profile x\n",
    ),
    _same(
        "aws-vault by an unknown variable",
        'export AWS_PROFILE=$P\neval "$(aws-vault export "$AWS_PROFILE")"\n',
        'use aws_profile "$P"\n',
        BY_BASH,
    ),
    _same(
        "aws-vault by a part of one",
        'export AWS_PROFILE=$P\neval "$(aws-vault export $AWS_PROFILE-admin)"\n',
        f"!:2: {UNCLEAR}the profile of aws-vault",
    ),
    _same("aws-vault, loaded", "direnv_load aws-vault exec x -- direnv dump\n", "use aws_profile x\n"),
    _same(
        "aws-vault in a loop",
        "for i in $(aws-vault exec x -- env | grep AWS); do\n  export $i\ndone\n",
        f"!:2: {UNCLEAR}what only bash can evaluate",
    ),
    _same(
        "aws-vault with its own keys",
        'eval "$(aws-vault export empty)"\n',
        "!:1: aws-vault has the keys of profile empty, and AWS's files do not",
    ),
    _same(
        "aws-vault with a server",
        'eval "$(aws-vault exec x --server -- env)"\n',
        f"!:1: {UNCLEAR}the option --server of aws-vault",
    ),
    _same(
        "aws-vault and more",
        'eval "$(aws-vault export x; echo A=1)"\n',
        f"!:1: {UNCLEAR}what is done with the output of aws-vault",
    ),
    _runs(
        "the AWS CLI", 'eval "$(aws configure export-credentials --profile x --format env)"\n', "use aws_profile x\n"
    ),
    _runs(
        "the AWS CLI and AWS_PROFILE",
        'export AWS_PROFILE=x\neval "$(aws configure export-credentials --format env)"\n',
        "use aws_profile x\n",
    ),
    _same("the AWS CLI for anybody", 'eval "$(aws configure export-credentials --format env)"\n', "use aws_profile\n"),
    _same(
        "the AWS CLI with a prefix",
        'eval "$(AWS_PROFILE=x aws configure export-credentials --format env)"\n',
        "use aws_profile x\n",
    ),
    _runs("aws-export-credentials", "eval $(aws-export-credentials --profile x --env-export)\n", "use aws_profile x\n"),
    _same("aws2-wrap", 'eval "$(aws2-wrap --profile dev --export)"\n', "use aws_profile dev\n"),
    _runs("granted", "source assume x\n", "use aws_profile x\n"),
    _same("granted with a region", ". assume x --region eu-west-3\n", "use aws_profile x --region eu-west-3\n"),
    _runs("awsume", ". awsume x\n", "use aws_profile x\n"),
    _same("awsume, found", "source $(which awsume) x\n", "use aws_profile x\n"),
    _runs("awsume, shown", "eval $(awsume -s x)\n", "use aws_profile x\n"),
    _same("awsume for a role", f". awsume base --role-arn {ARN}\n", f"!:1: {UNCLEAR}the option --role-arn of awsume"),
    _same("assume-role", 'eval "$(assume-role x)"\n', "use aws_profile x\n"),
    _same("saml2aws", 'eval "$(saml2aws script --shell=bash --profile base)"\n', "use aws_profile base\n"),
    _same(
        "saml2aws for a role",
        "eval $(saml2aws script -p x)\n",
        f"!:1: {UNCLEAR}saml2aws for a profile without keys of its own",
    ),
    _same("saml2aws for anybody", "eval $(saml2aws script)\n", f"!:1: {UNCLEAR}saml2aws without --profile"),
    _same("aws-okta", 'eval "$(aws-okta env x)"\n', "use aws_profile x\n"),
    _same(
        "aws-okta with its own keys",
        'eval "$(aws-okta env empty)"\n',
        "!:1: aws-okta has the keys of profile empty, and AWS's files do not",
    ),
    _same("aws-sso by profile", 'eval "$(aws-sso eval -p dev)"\n', "use aws_profile dev\n"),
    _same("aws-sso by role", "eval $(aws-sso eval -A 123456789012 -R Developer)\n", "use aws_profile dev\n"),
    _same(
        "aws-sso by ARN",
        "eval $(aws-sso eval --arn arn:aws:iam::123456789012:role/Developer)\n",
        "use aws_profile dev\n",
    ),
    _same(
        "aws-sso for nobody known",
        "eval $(aws-sso eval -A 123456789012 -R Admin)\n",
        "!:1: no profile leads to Admin in account 123456789012",
    ),
    _same("our own export", 'eval "$(awsdirenv export x)"\n', "use aws_profile x\n"),
    _same(
        "a sign-in",
        "aws sso login --profile dev\nexport AWS_PROFILE=dev\n",
        "use aws_profile dev\n",
        "line 1: to sign in: awsdirenv login dev",
    ),
    _same(
        "a sign-in if needed",
        "aws sts get-caller-identity >/dev/null 2>&1 || aws sso login\nexport AWS_PROFILE=dev\n",
        "aws sts get-caller-identity >/dev/null 2>&1 || aws sso login\nuse aws_profile dev\n",
    ),
    _runs("an assumed role", ASSUMED, "use aws_profile x\n"),
    _runs("an assumed role, printed", PRINTED, "use aws_profile x\n"),
    _same(
        "an assumed role, looked at",
        ASSUMED + "[ -z $CREDS ] && echo none\n",
        f"!:5: {UNCLEAR}CREDS, which is used here, too",
    ),
    _same(
        "a role of nobody",
        ASSUMED.replace("role/x", "role/z"),
        "!:2: no profile leads to arn:aws:iam::123456789012:role/z",
    ),
]

IN_PLAIN_SIGHT = [
    _runs("keys", KEYS, "use aws_profile base\n", SESSION),
    _same("keys, quoted", KEYS.replace("=", '="').replace("\n", '"\n'), "use aws_profile base\n", SESSION),
    _runs("keys on one line", KEYS.replace("\nexport", ""), "use aws_profile base\n", SESSION),
    _same("keys and their profile", f"export AWS_PROFILE=base\n{KEYS}", "use aws_profile base\n", SESSION),
    _same(
        "keys and another profile",
        f"export AWS_PROFILE=x\n{KEYS}",
        "!:2: none of your profiles has these keys",
    ),
    _same("keys of nobody", KEYS.replace("SECRET_KEY", "other"), "!:1: none of your profiles has these keys"),
    _same(
        "keys that end",
        f"{KEYS}export AWS_SESSION_TOKEN=tok\n",
        "!:1: these keys are temporary, and no profile has them",
    ),
    _same("half a key", "export AWS_ACCESS_KEY_ID=KEY_ID\n", f"!:1: {UNCLEAR}half a key"),
    _same(
        "keys of another store",
        "export AWS_ACCESS_KEY_ID=$(op read op://v/k)\n",
        f"!:1: {UNCLEAR}where AWS_ACCESS_KEY_ID comes from",
    ),
    _runs("configured keys", CONFIGURED, "use aws_profile base\n"),
    _same(
        "configured keys of a role",
        CONFIGURED.replace("base", "x"),
        f"!:1: {UNCLEAR}aws configure get for a profile without keys of its own",
    ),
]

DOTENV = [
    _runs("dotenv", "dotenv\n", "dotenv\nuse aws_profile\n", dotenv="AWS_PROFILE=x\nA=1\n"),
    _same(
        "dotenv_if_exists",
        "dotenv_if_exists\nexport A=1\n",
        "dotenv_if_exists\nuse aws_profile\nexport A=1\n",
        dotenv="AWS_PROFILE=x\n",
    ),
    _runs(
        "sourced",
        "set -a; source .env; set +a\n",
        "set -a; source .env; use aws_profile; set +a\n",
        dotenv="AWS_PROFILE=x\n",
    ),
    _same(
        "by xargs",
        "export $(grep -v '^#' .env | xargs)\n",
        "export $(grep -v '^#' .env | xargs)\nuse aws_profile\n",
        dotenv="AWS_PROFILE=x\n",
    ),
    _same("overridden", "dotenv\nexport AWS_PROFILE=y\n", "dotenv\nuse aws_profile y\n", dotenv="AWS_PROFILE=x\n"),
    _same("overriding", "export AWS_PROFILE=y\ndotenv\n", f"!{TWO}1 and in line 2", dotenv="AWS_PROFILE=x\n"),
    _runs(
        "keys in it",
        "dotenv\n",
        "dotenv\nuse aws_profile base\n",
        SESSION,
        "the keys stay in FOLDER/.env: remove them there if nothing else needs them",
        dotenv="AWS_ACCESS_KEY_ID=KEY_ID\nAWS_SECRET_ACCESS_KEY=SECRET_KEY\n",
    ),
    _same("nothing in it", "dotenv\n", None, dotenv="A=1\n"),
    _same("beside", "layout go\n", None, dotenv="AWS_PROFILE=x\n"),
    _same(
        "beside what names nobody",
        'eval "$(aws configure export-credentials)"\n',
        "!:1: this command names no profile, but FOLDER/.env does",
        dotenv="AWS_PROFILE=x\n",
    ),
    _same(
        "of another name",
        "dotenv .env.local\n",
        "!:1: only a file with the name .env can name the profile",
        **{".env.local": "AWS_PROFILE=x\n"},
    ),
    _same("of an unknown profile", "dotenv\n", "!no profile nope in ", dotenv="AWS_PROFILE=nope\n"),
]

OTHERS = [
    _runs("below another file", "source_up\nexport AWS_PROFILE=x\n", "source_up\nuse aws_profile x\n"),
    _same(
        "above another file",
        "export AWS_PROFILE=x\nsource_env_if_exists own\n",
        f"!:2: {UNCLEAR}FOLDER/own, which it reads and which is about AWS, too",
        own="export AWS_PROFILE=y\n",
    ),
    _same(
        "with a quiet file",
        "source_env_if_exists own\nexport AWS_PROFILE=x\n",
        "source_env_if_exists own\nuse aws_profile x\n",
        own="export A=1\n",
    ),
    _same(
        "with a file of keys",
        "source own\nexport AWS_PROFILE=x\n",
        f"!:1: {UNCLEAR}FOLDER/own, which it reads and which is about AWS, too",
        own="export AWS_SECRET_ACCESS_KEY=s\n",
    ),
    _same(
        "in a condition",
        'if [ -n "$CI" ]; then\n  export AWS_PROFILE=x\nfi\n',
        f"!:2: {UNCLEAR}AWS_PROFILE inside a condition",
    ),
    _same("in a loop", "for p in x; do export AWS_PROFILE=$p; done\n", f"!:1: {UNCLEAR}AWS_PROFILE inside a loop"),
    _same("with &&", "has go && export AWS_PROFILE=x\n", f"!:1: {UNCLEAR}AWS in a list with &&"),
    _same("with ||", "has go || export AWS_PROFILE=x\n", f"!:1: {UNCLEAR}AWS_PROFILE inside a list with || or |"),
    _same("not exported", "AWS_PROFILE=x\n", f"!:1: {UNCLEAR}AWS_PROFILE, which is set and not exported"),
    _same("an open quote", 'export AWS_PROFILE="x\n', f"!:1: {UNCLEAR}AWS_PROFILE"),
    _same("another open quote", "export AWS_PROFILE=x\necho 'a\n", f"!:1: {UNCLEAR}a quote or a compound command"),
    _same("two profiles", "export AWS_PROFILE=x\nexport AWS_PROFILE=y\n", f"!{TWO}1 and in line 2"),
    _same("two variables", "export AWS_PROFILE=x\nexport AWS_DEFAULT_PROFILE=y\n", f"!{TWO}1 and in line 2"),
    _same("a profile and a program", 'export AWS_PROFILE=x\neval "$(aws-vault export y)"\n', f"!{TWO}1 and in line 2"),
    _same("two programs", 'eval "$(aws-vault export x)"\n. awsume y\n', f"!{TWO}1 and in line 2"),
    _same("an unknown profile", "export AWS_PROFILE=nope\n", "!no profile nope in "),
    _same(
        "another account",
        "export AWS_PROFILE=x\nexport AWS_ACCOUNT_ID=210987654321\n",
        "!:2: AWS_ACCOUNT_ID is not that of profile x, 123456789012",
    ),
    _same(
        "an API key",
        "export AWS_BEARER_TOKEN_BEDROCK=abc\nexport AWS_PROFILE=x\n",
        f"!:1: {UNCLEAR}AWS_BEARER_TOKEN_BEDROCK",
    ),
    _same(
        "a file of its own",
        "export AWS_CONFIG_FILE=$PWD/own\nexport AWS_PROFILE=z\n",
        "export AWS_CONFIG_FILE=$PWD/own\nuse aws_profile z\n",
        own=f"[profile z]\nrole_arn = {ARN}\nsource_profile = base\n",
    ),
    _runs(
        "a file that is chosen below",
        'export AWS_PROFILE=x\nexport AWS_CONFIG_FILE="$HOME/.aws/config"\nA=1\n',
        'export AWS_CONFIG_FILE="$HOME/.aws/config"\nuse aws_profile x\nA=1\n',
    ),
    _same(
        "an unknown file",
        "export AWS_CONFIG_FILE=$(mktemp)\nexport AWS_PROFILE=x\n",
        f"!:1: {UNCLEAR}what AWS_CONFIG_FILE is",
    ),
    _same("ours", "use aws_profile x\n", None),
    _same("ours below dotenv", "dotenv\nuse aws_profile\n", None, dotenv="AWS_PROFILE=x\n"),
    _same("ours below", "export AWS_PROFILE=x\nuse aws_profile x\n", "use aws_profile x\n"),
    _same("ours above", "use aws_profile x\nexport AWS_PROFILE=x\n", "use aws_profile x\n"),
    _same("ours and another", "use aws_profile x\nexport AWS_PROFILE=y\n", f"!{TWO}1 and in line 2"),
    _same("Windows", "export AWS_PROFILE=x\r\n", "!the lines of FOLDER/.envrc end as on Windows, with CR LF"),
    _same("Latin-1", "# J\udcfcrgen\nexport AWS_PROFILE=x\n", "# J\udcfcrgen\nuse aws_profile x\n"),
]

MORE = [
    _same(
        "a region of the profile",
        "export AWS_PROFILE=base\nexport AWS_REGION=$(aws configure get region)\n",
        "use aws_profile base\n",
    ),
    _same(
        "a region of another profile",
        "export AWS_PROFILE=x\nexport AWS_REGION=$(aws configure get region --profile base)\n",
        f"!:2: {UNCLEAR}the region",
    ),
    _same("with an older variable", "A=1\nexport A AWS_PROFILE=x\n", "A=1\nexport A\nuse aws_profile x\n"),
    _same(
        "with a file in one statement",
        "export AWS_CONFIG_FILE=~/.aws/config AWS_PROFILE=x\n",
        "export AWS_CONFIG_FILE=~/.aws/config\nuse aws_profile x\n",
    ),
    _same(
        "its account by hand",
        "export AWS_PROFILE=x\nAWS_ACCOUNT_ID=$(aws sts get-caller-identity --query Account)\n",
        "use aws_profile x\nAWS_ACCOUNT_ID=$(aws sts get-caller-identity --query Account)\n",
    ),
    _same(
        "what others say of it",
        "export AWS_PROFILE=x\nA=$(aws configure get sso_account_id)\n"
        "export B=$(aws-vault exec x -- terraform output)\n",
        "use aws_profile x\nA=$(aws configure get sso_account_id)\nexport B=$(aws-vault exec x -- terraform output)\n",
    ),
    _same(
        "one key each",
        "export AWS_ACCESS_KEY_ID=$(aws-vault exec x -- printenv AWS_ACCESS_KEY_ID)\n"
        "export AWS_SECRET_ACCESS_KEY=$(aws-vault exec x -- printenv AWS_SECRET_ACCESS_KEY)\n",
        "use aws_profile x\n",
    ),
    _same("an own program by aws-vault", 'eval "$(aws-vault exec x -- ./own)"\n', f"!:1: {UNCLEAR}what it evaluates"),
    _same(
        "with an unknown file", 'source "$X/.envrc.local"\nexport AWS_PROFILE=x\n', f"!:1: {UNCLEAR}which file it reads"
    ),
    _same(
        "a session by hand",
        "read -r CODE\nC=$(aws --profile base sts get-session-token --serial-number arn:x --token-code $CODE)\n"
        'export AWS_ACCESS_KEY_ID=$(jq -r .Credentials.AccessKeyId <<<"$C")\n'
        'export AWS_SECRET_ACCESS_KEY=$(jq -r .Credentials.SecretAccessKey <<<"$C")\n',
        "read -r CODE\nuse aws_profile base\n",
    ),
    _same(
        "a function by a function",
        "a() { export AWS_PROFILE=$1; }\nuse_aws() { a x; }\nuse aws\n",
        "a() { export AWS_PROFILE=$1; }\nuse aws_profile x\n",
    ),
    _same("a function by itself", "use_aws() { use_aws $1; }\nuse aws x\n", f"!:2: {UNCLEAR}the function use_aws: "),
    _same(
        "used before a name by a variable",
        "export AWS_PROFILE=x\nA=$AWS_PROFILE\nP=x\nexport AWS_PROFILE=$P\n",
        f"!:2: {UNCLEAR}it uses a variable of a line above it, and our line comes below it",
    ),
    _same(
        "used before a file is chosen",
        'export AWS_PROFILE=x\nA=$(aws s3 ls)\nexport AWS_CONFIG_FILE="$HOME/.aws/config"\n',
        f"!:2: {UNCLEAR}it uses a variable of a line above it, and our line comes below it",
    ),
    _same(
        "used below ours",
        "use aws_profile x\nexport AWS_PROFILE=x\nexport A=$AWS_PROFILE\n",
        f"!:3: {UNCLEAR}it uses AWS_PROFILE, which our line sets only with --live",
    ),
    _same("assigned in passing", 'echo "${AWS_PROFILE:=x}"\nexport AWS_PROFILE=x\n', f"!:1: {UNCLEAR}a value that is"),
    _same("an odd option", "declare -xl AWS_PROFILE=X\n", f"!:1: {UNCLEAR}declare -x"),
    _same(
        "a function that comes later",
        "use aws x\nuse_aws() { export AWS_PROFILE=$1; }\n",
        f"!:1: {UNCLEAR}use_aws, which",
    ),
    _same(
        "by many variables",
        f"C=$({ASSUME})\nK=$(echo $C | jq -r .Credentials.AccessKeyId)\n"
        "S=$(echo $C | jq -r .Credentials.SecretAccessKey)\n"
        "export AWS_ACCESS_KEY_ID=$K AWS_SECRET_ACCESS_KEY=$S\n",
        "use aws_profile x\n",
    ),
    _same(
        "an answer that is kept",
        f"C=$({ASSUME})\nexport AWS_PROFILE=x\necho $C\n",
        f"C=$({ASSUME})\nuse aws_profile x\necho $C\n",
    ),
]

SHAPES = {
    f"{group}: {one.name}": one
    for group, shapes in (
        ("plain", PLAIN),
        ("region", REGIONS),
        ("variable", VARIABLES),
        ("function", FUNCTIONS),
        ("program", PROGRAMS),
        ("keys", IN_PLAIN_SIGHT),
        ("dotenv", DOTENV),
        ("other", OTHERS),
        ("more", MORE),
    )
    for one in shapes
}
