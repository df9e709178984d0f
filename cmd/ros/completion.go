package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func completionCommand(t *terminal) *cli.Command {
	shells := map[string]func([]node) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	return &cli.Command{
		Name:        "completion",
		Usage:       "print the completion script of a shell",
		ArgsUsage:   "bash|zsh|fish",
		Description: "In bash, or in ~/.bashrc: source <(ros completion bash)",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			script, ok := shells[args[0]]
			if !ok {
				return usageError("no completion for %q: there is bash, zsh and fish", args[0])
			}
			t.printf("%s", script(nodes("ros", c.App.Commands, nil)))
			return nil
		},
	}
}

// node is what may follow a command: the completion scripts are tables of it.
type node struct {
	Path    string   // "ros service logs"
	Short   []string // other ways to write it: "ros service ls"
	Words   []word
	Names   string   // a command that prints more, the names of services for instance
	Keys    bool     // the keys of the configuration as well
	Files   bool     // file names as well
	FileOpt []string // options that want a file name
}

// word is a sub-command, an option or a fixed argument.
type word struct{ Text, Help string }

// fixedWords are arguments that come from a fixed set.
func fixedWords(path string) []word {
	switch path {
	case "ros logs":
		return []word{{"system", "the manager's log"}, {"kernel", "the kernel's log"}}
	case "ros completion":
		return []word{{Text: "bash"}, {Text: "zsh"}, {Text: "fish"}}
	}
	return nil
}

// wantsKey names the commands that take a key of the configuration.
func wantsKey(path string) bool {
	verb, ok := strings.CutPrefix(path, "ros config ")
	return ok && slices.Contains([]string{"get", "set", "unset", "append", "remove"}, verb)
}

// keys are those that can be written out: what is below a free mapping, or in
// a list, begins with a name that nobody knows.
func keys() []string {
	return slices.DeleteFunc(osconfig.Paths(), func(p string) bool { return strings.ContainsAny(p, "*[") })
}

// namesFor is the command that prints the names that may follow a command, ""
// for none.
func namesFor(path string) string {
	group, verb, _ := strings.Cut(strings.TrimPrefix(path, "ros "), " ")
	switch {
	case path == "ros logs" || group == "service" && verb != "" && verb != "list":
		return "ros service list --quiet 2>/dev/null"
	case path == "ros network renew":
		return "ros network status --quiet 2>/dev/null"
	}
	return ""
}

// nodes walks the command tree.
func nodes(path string, commands []*cli.Command, flags []cli.Flag) []node {
	n := node{Path: path, Words: fixedWords(path), Names: namesFor(path), Keys: wantsKey(path), Files: path == "ros config validate" || path == "ros network plan"}
	var below []node
	for _, c := range commands {
		if c.Name == "help" || c.Hidden {
			continue
		}
		n.Words = append(n.Words, word{c.Name, c.Usage})
		of := nodes(path+" "+c.Name, c.Subcommands, c.Flags)
		for _, alias := range c.Aliases {
			of[0].Short = append(of[0].Short, path+" "+alias)
		}
		below = append(below, of...)
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), "help") {
			continue // the running command has it already
		}
		help := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			help = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		for _, name := range f.Names() {
			option := "--" + name
			if len(name) == 1 {
				option = "-" + name
			}
			n.Words = append(n.Words, word{option, help})
			if slices.Contains([]string{"plot", "output", "o", "input", "i"}, name) {
				n.FileOpt = append(n.FileOpt, option)
			}
		}
	}
	n.Words = append(n.Words, word{"--help", "show help"})
	return append([]node{n}, below...)
}

func (n node) texts() []string {
	var ts []string
	for _, w := range n.Words {
		ts = append(ts, w.Text)
	}
	return ts
}

// aliases is one line for each command that has them.
func aliases(all []node, line string) string {
	var b strings.Builder
	for _, n := range all {
		for _, short := range n.Short {
			fmt.Fprintf(&b, line, short, n.Path)
		}
	}
	return b.String()
}

// bashCompletion needs no bash-completion package. The longest path of
// commands that begins the line decides what may follow.
func bashCompletion(all []node) string {
	var b strings.Builder
	b.WriteString(`# bash completion of ros, made by: ros completion bash
_ros() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=ros words= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
`)
	var paths []string
	for _, n := range all[1:] {
		paths = append(paths, fmt.Sprintf("%q", n.Path))
	}
	b.WriteString(aliases(all, "      %q) path=%q ;;\n"))
	fmt.Fprintf(&b, "      %s) path=\"$path $word\" ;;\n    esac\n  done\n", strings.Join(paths, "|"))
	fmt.Fprintf(&b, "  local keys='%s'\n  case \"$path\" in\n", strings.Join(keys(), " "))
	for _, n := range all {
		fmt.Fprintf(&b, "    %q)\n", n.Path)
		if len(n.FileOpt) > 0 {
			fmt.Fprintf(&b, "      case \"$prev\" in %s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;; esac\n", strings.Join(n.FileOpt, "|"))
		}
		fmt.Fprintf(&b, "      words='%s'\n", strings.Join(n.texts(), " "))
		if n.Names != "" {
			// compgen expands its words as a command line: a link may be called $(reboot).
			fmt.Fprintf(&b, "      [[ $cur == -* ]] || words=\"$words $(%s | grep -x '[A-Za-z0-9_.:@-]*')\"\n", n.Names)
		}
		if n.Keys {
			b.WriteString("      [[ $cur == -* ]] || words=\"$words $keys\"\n")
		}
		if n.Files {
			b.WriteString("      [[ $cur == -* ]] || { COMPREPLY=($(compgen -f -- \"$cur\")); return; }\n")
		}
		b.WriteString("      ;;\n")
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _ros ros\n")
	return b.String()
}

// zshCompletion must not call a variable path: in zsh that is PATH.
func zshCompletion(all []node) string {
	var b strings.Builder
	b.WriteString("#compdef ros\n# zsh completion of ros, made by: ros completion zsh\n_ros() {\n" +
		"  local at=ros word\n  local -a found\n  for word in ${words[2,CURRENT-1]}; do\n    case \"$at $word\" in\n")
	var paths []string
	for _, n := range all[1:] {
		paths = append(paths, fmt.Sprintf("%q", n.Path))
	}
	b.WriteString(aliases(all, "      %q) at=%q ;;\n"))
	fmt.Fprintf(&b, "      %s) at=\"$at $word\" ;;\n    esac\n  done\n", strings.Join(paths, "|"))
	fmt.Fprintf(&b, "  local -a keys=(%s)\n  case \"$at\" in\n", strings.Join(keys(), " "))
	for _, n := range all {
		fmt.Fprintf(&b, "    %q)\n", n.Path)
		if len(n.FileOpt) > 0 {
			fmt.Fprintf(&b, "      case \"${words[CURRENT-1]}\" in %s) _files; return ;; esac\n", strings.Join(n.FileOpt, "|"))
		}
		b.WriteString("      found=(")
		for _, w := range n.Words {
			fmt.Fprintf(&b, "\n        '%s:%s'", w.Text, strings.NewReplacer("'", "'\\''", ":", "\\:").Replace(w.Help))
		}
		b.WriteString(")\n")
		if n.Names != "" {
			fmt.Fprintf(&b, "      found+=(${(f)\"$(%s)\"})\n", n.Names)
		}
		if n.Keys {
			b.WriteString("      found+=($keys)\n")
		}
		if n.Files {
			b.WriteString("      _files\n")
		}
		b.WriteString("      ;;\n")
	}
	b.WriteString("  esac\n  _describe ros found\n}\ncompdef _ros ros\n")
	return b.String()
}

func fishCompletion(all []node) string {
	var b strings.Builder
	b.WriteString("# fish completion of ros, made by: ros completion fish\n" +
		"function __ros_at\n  set -l path ros\n  for word in (commandline -opc)[2..-1]\n    switch \"$path $word\"\n")
	b.WriteString(aliases(all, "      case %q\n        set path %q\n"))
	b.WriteString("      case")
	for _, n := range all[1:] {
		fmt.Fprintf(&b, " %q", n.Path)
	}
	b.WriteString("\n        set path \"$path $word\"\n    end\n  end\n  test \"$path\" = \"$argv\"\nend\ncomplete -c ros -f\n")
	for _, n := range all {
		at := fmt.Sprintf("complete -c ros -n '__ros_at %s'", n.Path)
		for _, w := range n.Words {
			what := "-a " + w.Text
			switch {
			case strings.HasPrefix(w.Text, "--"):
				what = "-l " + w.Text[2:]
			case strings.HasPrefix(w.Text, "-"):
				what = "-s " + w.Text[1:]
			}
			if slices.Contains(n.FileOpt, w.Text) {
				what += " -rF"
			}
			fmt.Fprintf(&b, "%s %s -d '%s'\n", at, what, strings.ReplaceAll(w.Help, "'", "\\'"))
		}
		if n.Names != "" {
			fmt.Fprintf(&b, "%s -a '(%s)'\n", at, n.Names)
		}
		if n.Keys {
			b.WriteString(at + " -a '" + strings.Join(keys(), " ") + "'\n")
		}
		if n.Files {
			b.WriteString(at + " -F\n")
		}
	}
	return b.String()
}
