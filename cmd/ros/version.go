package main

import (
	"runtime"

	"github.com/urfave/cli/v2"
)

func versionCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print this program's version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			if c.Bool("json") {
				return t.json(struct {
					Version string `json:"version"`
					Go      string `json:"go"`
					Arch    string `json:"arch"`
				}{version, runtime.Version(), runtime.GOARCH})
			}
			t.printf("ros %s (%s, %s)\n", version, runtime.Version(), runtime.GOARCH)
			return nil
		},
	}
}
