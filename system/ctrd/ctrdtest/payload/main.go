// Command payload is what the containers of tests run. Its first argument says
// how it behaves; nothing else is in the image.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	switch args[0] {
	case "wait": // ends by SIGTERM with code 3
		fmt.Println("waiting")
		<-signals
		return 3, nil
	case "stubborn": // ends by SIGKILL only
		for range signals {
		}
	case "exit":
		return strconv.Atoi(args[1])
	case "cat":
		data, err := os.ReadFile(args[1])
		if err != nil {
			return 0, err
		}
		fmt.Print(string(data))
	case "write":
		return 0, os.WriteFile(args[1], []byte(args[2]), 0o644)
	case "env":
		fmt.Println(os.Getenv(args[1]))
	case "errors": // says more than a pipe holds on stderr, after stdout is closed
		os.Stdout.Close()
		for i := range 5000 {
			fmt.Fprintf(os.Stderr, "error %04d of this program\n", i)
		}
		<-signals
	case "child": // starts a stubborn child and waits
		cmd := exec.Command("/proc/self/exe", "stubborn")
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		fmt.Println("child", cmd.Process.Pid)
		<-signals
	default:
		return 0, fmt.Errorf("unknown behaviour %q", args[0])
	}
	return 0, nil
}
