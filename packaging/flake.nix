# In a clone: nix run '.?dir=packaging' -- --version
{
  description = "Temporary AWS credentials for a profile, by one line in .envrc";

  inputs.nixpkgs.url = "nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "aarch64-darwin" "aarch64-linux" "x86_64-darwin" "x86_64-linux" ];
      # The version has one owner.
      version = builtins.head (builtins.match ''.*__version__ = "([^"]+)".*''
        (builtins.readFile ../awsdirenv/__init__.py));
      package = { python3Packages }: python3Packages.buildPythonApplication {
        pname = "awsdirenv";
        inherit version;
        src = ./..;
        pyproject = true;
        build-system = [ python3Packages.hatchling ];
        dependencies = with python3Packages; [ boto3 filelock python-dotenv ];
        pythonImportsCheck = [ "awsdirenv" ];
        meta = {
          description = "Temporary AWS credentials for a profile, by one line in .envrc";
          mainProgram = "awsdirenv";
        };
      };
    in
    {
      packages = nixpkgs.lib.genAttrs systems (system: {
        default = nixpkgs.legacyPackages.${system}.callPackage package { };
      });

      # programs.awsdirenv.enable = true; it takes the place of `awsdirenv setup` and of the lines that this names.
      homeManagerModules.default = { config, lib, pkgs, ... }:
        let
          cfg = config.programs.awsdirenv;
          # Below direnv's own line, which home-manager writes with mkAfter (1500).
          hook = shell: lib.mkOrder 1600 "source ${config.xdg.dataHome}/awsdirenv/hook.${shell}";
        in
        {
          options.programs.awsdirenv = {
            enable = lib.mkEnableOption "awsdirenv";
            package = lib.mkOption {
              type = lib.types.package;
              default = self.packages.${pkgs.system}.default;
              description = "The package to use.";
            };
          };

          config = lib.mkIf cfg.enable {
            programs.direnv.enable = lib.mkDefault true;
            home.packages = [ cfg.package ];
            # The extension has the path of the package in it, so each generation writes its own.
            home.activation.awsdirenv = lib.hm.dag.entryAfter [ "writeBoundary" ] ''
              run ${lib.getExe cfg.package} setup
            '';
            programs.bash.initExtra = hook "bash";
            programs.zsh.initContent = hook "zsh";
            programs.fish.interactiveShellInit = hook "fish";
          };
        };
    };
}
