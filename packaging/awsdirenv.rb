# For a Homebrew tap. tools/fill_packaging.py fills in what is between two @.
class Awsdirenv < Formula
  include Language::Python::Virtualenv

  desc "Temporary AWS credentials for a profile, by one line in .envrc"
  homepage "@HOMEPAGE@"
  url "@URL@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "direnv"
  depends_on "python@3.13"

# @RESOURCES@

  def install
    virtualenv_install_with_resources
  end

  def caveats
    <<~EOS
      To finish, and again after each upgrade:
        awsdirenv setup
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/awsdirenv --version")
  end
end
