import { Argument, Command } from "commander";
import { renderBash } from "./completion/bash.ts";
import { readCommandWords } from "./completion/command-words.ts";
import { renderFish } from "./completion/fish.ts";
import { renderKubectl } from "./completion/kubectl.ts";
import { renderZsh } from "./completion/zsh.ts";
import { helpNotes } from "./help-notes.ts";

const SHELLS = { bash: renderBash, zsh: renderZsh, fish: renderFish, kubectl: renderKubectl };

/** `turbo-hipster completion SHELL`: of all commands, which `loadOthers` makes. */
export function completionCommand(loadOthers: () => Promise<Command[]>): Command {
  const command = new Command("completion")
    .description("print what a shell needs to complete this program's commands and options")
    .addArgument(new Argument("<shell>", "whose").choices(Object.keys(SHELLS)))
    .addHelpText("after", helpNotes(HELP))
    .action(async (shell: keyof typeof SHELLS) => {
      const commands = [...(await loadOthers()), command];
      process.stdout.write(SHELLS[shell]("turbo-hipster", readCommandWords(commands)));
    });
  return command;
}

const HELP = `
In ~/.bashrc:
  source <(turbo-hipster completion bash)

In ~/.zshrc, after compinit:
  source <(turbo-hipster completion zsh)

Once, for fish:
  turbo-hipster completion fish > ~/.config/fish/completions/turbo-hipster.fish

For kubectl th, in whichever shell has kubectl's own completion, where kubectl
finds it (needs bash):
  turbo-hipster completion kubectl > ~/.local/bin/kubectl_complete-th
  chmod +x ~/.local/bin/kubectl_complete-th

Exit codes: 0 printed, 1 unusable arguments`;
