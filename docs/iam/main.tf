# The same as user.yaml and roles.yaml, for Terraform and OpenTofu. Put the roles into a module of their own where they
# are in another account than the user.

variable "user_name" {
  description = "The name of the user, and of its MFA device"
  type        = string
  default     = "foo"
}

variable "role_names" {
  description = "The roles, each with the name of an AWS managed policy"
  type        = map(string)
  default = {
    adminrole = "AdministratorAccess"
    readrole  = "ReadOnlyAccess"
  }
}

variable "session_seconds" {
  description = "The longest that a session of a role may live, from 3600 to 43200"
  type        = number
  default     = 3600
}

data "aws_partition" "current" {}

resource "aws_iam_user" "user" {
  name = var.user_name
}

data "aws_iam_policy_document" "with_mfa" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.user.arn]
    }
    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
  }
}

resource "aws_iam_role" "role" {
  for_each             = var.role_names
  name                 = each.key
  max_session_duration = var.session_seconds
  assume_role_policy   = data.aws_iam_policy_document.with_mfa.json
}

resource "aws_iam_role_policy_attachment" "managed" {
  for_each   = var.role_names
  role       = aws_iam_role.role[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value}"
}

data "aws_iam_policy_document" "assume_roles" {
  statement {
    actions   = ["sts:AssumeRole"]
    resources = [for role in aws_iam_role.role : role.arn]
    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
  }
}

resource "aws_iam_user_policy" "assume_roles_with_mfa" {
  name   = "assume-roles-with-mfa"
  user   = aws_iam_user.user.name
  policy = data.aws_iam_policy_document.assume_roles.json
}
