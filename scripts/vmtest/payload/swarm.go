package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// fetch prints what a server at HOST:PORT answers to a request, from inside of
// the container's networks.
func fetch(address string) error {
	const patience = 10 * time.Second
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// lookUp prints the addresses of a name, a line each.
func lookUp(name string) error {
	addresses, err := net.LookupHost(name)
	for _, a := range addresses {
		fmt.Println(a)
	}
	return err
}

// show prints a file.
func show(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
