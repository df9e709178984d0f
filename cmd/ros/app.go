package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp is the command tree.
func newApp(t *terminal) *cli.App {
	app := &cli.App{
		Name:      "ros",
		Usage:     "control this machine",
		UsageText: "ros COMMAND [OPTIONS] [ARGUMENTS]",
		Version:   version,
		Commands: []*cli.Command{
			statusCommand(t),
			bootCommand(t),
			serviceCommand(t),
			logsCommand(t),
			configCommand(t),
			networkCommand(t),
			engineCommand(t),
			dockerCommand(t),
			versionCommand(t),
			completionCommand(t),
			{Name: "help", Aliases: []string{"h"}, Usage: "show help of a command", ArgsUsage: "[COMMAND]…"},
		},
		HideVersion:               true,
		HideHelpCommand:           true,
		UseShortOptionHandling:    true,
		DisableSliceFlagSeparator: true, // file names have commas
		Reader:                    t.in,
		Writer:                    t.out,
		ErrWriter:                 io.Discard, // exitCode prints the error, once
		Action:                    group,
		OnUsageError:              wrongUsage,
		ExitErrHandler:            func(*cli.Context, error) {}, // only main exits
	}
	settle("ros", app.Commands)
	return app
}

// settle sets what is the same for every command.
func settle(path string, commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = wrongUsage
		c.HideHelpCommand = true // there is --help
		c.UsageText = join(" ", path, c.Name, "[OPTIONS]", c.ArgsUsage)
		if len(c.Subcommands) > 0 {
			c.UsageText = join(" ", path, c.Name, "COMMAND [OPTIONS] [ARGUMENTS]")
		}
		settle(path+" "+c.Name, c.Subcommands)
	}
}

// runCLI runs the command in args.
func runCLI(ctx context.Context, t *terminal, args []string) error {
	out := &printed{to: t.out}
	t.out = out
	app := newApp(t)
	if len(args) > 0 && slices.Contains([]string{"help", "h", "--help", "-h"}, args[0]) {
		if args = slices.Clone(args[1:]); len(args) > 0 {
			args = append(args, "--help")
		}
	}
	err := app.RunContext(ctx, append([]string{app.Name}, flagsFirst(app.Commands, args)...))
	if errors.Is(ctx.Err(), context.Canceled) {
		return &exitError{Code: 130} // interrupted, as a shell says it
	}
	if of, ok := errors.AsType[*fs.PathError](err); ok && err.Error() == of.Error() {
		err = fmt.Errorf("%s: %w", of.Path, of.Err) // without the system call's name
	}
	// What ends with 1 and no word has printed why, or tried to.
	if out.err != nil && (err == nil || err.Error() == "") {
		return fmt.Errorf("standard output: %w", out.err)
	}
	return err
}

// group is what a command with sub-commands does when none of them is named.
func group(c *cli.Context) error {
	commands, path := c.App.Commands, "ros"
	if c.Command.Name != "" && c.Command.Name != c.App.Name {
		commands, path = c.Command.Subcommands, path+" "+c.Command.Name
	}
	if !c.Args().Present() {
		if path == "ros" {
			return cli.ShowAppHelp(c)
		}
		return usageError("%s needs a command: one of %s", path, strings.Join(names(commands), ", "))
	}
	return usageError("%s has no command %q%s", path, c.Args().First(), hint(c.Args().First(), names(commands), path))
}

func names(commands []*cli.Command) []string {
	var ns []string
	for _, c := range commands {
		if !c.Hidden && c.Name != "help" {
			ns = append(ns, c.Name)
		}
	}
	return ns
}

// hint proposes the known word nearest to a misspelt one.
func hint(word string, known []string, path string) string {
	best, distance := "", 1+(len(word)+1)/3
	for _, k := range known {
		d := editDistance(word, k)
		if strings.HasPrefix(k, word) {
			d = 0
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" || word == "" {
		return "; see: " + path + " --help"
	}
	return "; did you mean " + best + "?"
}

// editDistance is Levenshtein's, on bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func wrongUsage(c *cli.Context, err error, _ bool) error {
	path := "ros"
	if c.Command != nil && c.Command.HelpName != "" {
		path = c.Command.HelpName
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		text = "unknown option " + dashed(name)
		if path == "ros" && c.App.Command(strings.TrimLeft(name, "-")) != nil {
			return usageError("%s; the command is: ros %s", text, strings.TrimLeft(name, "-"))
		}
	} else if name, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		text = "option " + dashed(name) + " needs a value"
	} else if said, ok := strings.CutPrefix(text, "invalid boolean value "); ok {
		name, _, _ := strings.Cut(said[strings.LastIndex(said, " for ")+len(" for "):], ":")
		text = "option " + dashed(name) + " has no value"
	} else if name, ok := strings.CutPrefix(text, "bad flag syntax: "); ok {
		text = fmt.Sprintf("%q is no option", name)
	}
	return usageError("%s; see: %s --help", text, path)
}

// dashed is an option as people write it: the flag parser says -json.
func dashed(option string) string {
	if name := strings.TrimLeft(option, "-"); len(name) > 1 {
		return "--" + name
	}
	return option
}

// arguments checks how many arguments there are and returns them.
func arguments(c *cli.Context, least, most int) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) < least:
		return nil, usageError("%s needs %s; see: %s --help", c.Command.HelpName, c.Command.ArgsUsage, c.Command.HelpName)
	case most >= 0 && len(args) > most:
		return nil, usageError("%s: %q is one argument too many; see: %s --help", c.Command.HelpName, args[most], c.Command.HelpName)
	}
	// The first one is a name, and so are any number of them; a value may be
	// empty.
	if i := slices.Index(args, ""); i == 0 || i > 0 && most < 0 {
		return nil, emptyArgument(c)
	}
	return args, nil
}

// emptyArgument is what a variable of a script that is not set comes to.
func emptyArgument(c *cli.Context) error {
	return usageError("%s: an argument is empty; see: %s --help", c.Command.HelpName, c.Command.HelpName)
}

// jsonFlag is the same on every command that prints data.
func jsonFlag() cli.Flag {
	return boolFlag("json", "print JSON")
}

// boolFlag is an option without a value; short is one letter or nothing.
func boolFlag(name, usage string, short ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: short, Usage: usage, DisableDefaultText: true}
}

// listFlag is an option that may be repeated. Its help is one option, where
// the library's own names it twice.
type listFlag struct{ *cli.StringSliceFlag }

func (f listFlag) String() string {
	return (&cli.StringFlag{Name: f.Name, Aliases: f.Aliases, Usage: f.Usage}).String()
}

// flagsFirst moves options before the arguments of the command that they
// belong to: the flag parser stops at the first argument, people do not
// (`ros logs docker -f`).
func flagsFirst(commands []*cli.Command, args []string) []string {
	var out []string
	for len(args) > 0 {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[0]) })
		if i < 0 {
			return append(out, args...)
		}
		out = append(out, args[0])
		args = args[1:]
		if len(commands[i].Subcommands) == 0 {
			return append(out, sortFlags(commands[i].Flags, args)...)
		}
		commands = commands[i].Subcommands
	}
	return out
}

func sortFlags(flags []cli.Flag, args []string) []string {
	var options, rest []string
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			return slices.Concat(options, []string{"--"}, rest, args)
		case len(a) < 2 || a[0] != '-':
			rest = append(rest, a)
			continue
		}
		if len(a) > 2 && a[1] != '-' && a[2] != '=' && takesValue(flags, a[:2]) { // -n5
			options = append(options, a[:2], a[2:])
			continue
		}
		options = append(options, a)
		if takesValue(flags, a) {
			if len(args) == 0 {
				return options // the parser says that a value is missing
			}
			options = append(options, args[0])
			args = args[1:]
		}
	}
	return append(options, rest...)
}

// takesValue reports whether the option's value is the next argument.
func takesValue(flags []cli.Flag, option string) bool {
	name := strings.TrimLeft(option, "-")
	if !strings.HasPrefix(option, "--") && len(name) > 1 {
		name = name[len(name)-1:] // -fn 5: combined, the last one decides
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}
