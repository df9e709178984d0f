package inside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

func links(c Check) error {
	list, err := net.Interfaces()
	if err != nil {
		return err
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, ","); got != c.Want {
		return fmt.Errorf("are %s, want %s", got, c.Want)
	}
	return nil
}

func link(c Check) error {
	list, err := net.Interfaces()
	if err != nil {
		return err
	}
	var names []string
	for _, l := range list {
		if l.HardwareAddr.String() == c.Want {
			return nil
		}
		names = append(names, l.Name)
	}
	return fmt.Errorf("none of the links %v has the address %s", names, c.Want)
}

func address(c Check) error {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range list {
		if p, ok := a.(*net.IPNet); ok && p.IP.String() == c.Want {
			return nil
		}
	}
	return fmt.Errorf("the addresses are %v, want %s", list, c.Want)
}

// each is how long one attempt to reach somebody takes.
const each = 5 * time.Second

func reach(ctx context.Context, c Check) error {
	network, host, _ := strings.Cut(c.Path, " ")
	got, err := Ask(ctx, network, host, "GET / HTTP/1.0\r\n\r\n")
	if err != nil {
		return err
	}
	if !strings.HasSuffix(got, Greeting(c.Want)) {
		return fmt.Errorf("answers %q, want the greeting of %s", clip(got), c.Want)
	}
	return nil
}

// docker speaks as much HTTP as is needed; net/http would triple the image.
func docker(ctx context.Context, c Check) error {
	ping, err := Ask(ctx, "unix", c.Path, "GET /_ping HTTP/1.0\r\n\r\n")
	if err != nil {
		return err
	}
	if !strings.HasSuffix(ping, "\r\n\r\nOK") {
		return fmt.Errorf("/_ping answers %q", clip(ping))
	}
	list, err := Ask(ctx, "unix", c.Path, "GET /containers/json HTTP/1.0\r\n\r\n")
	if err != nil {
		return err
	}
	if !strings.Contains(list, `"/`+c.Want+`"`) {
		return fmt.Errorf("the engine does not list the container %s: %d bytes, %q", c.Want, len(list), clip(list))
	}
	return nil
}

// Ask sends a request and returns all that comes back: from a stream until its
// end, from UDP one packet.
func Ask(ctx context.Context, network, host, request string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(each)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	if !strings.HasPrefix(network, "udp") {
		answer, err := io.ReadAll(conn)
		// A server that does not read all of a request may reset the connection.
		if len(answer) > 0 {
			err = nil
		}
		return string(answer), err
	}
	packet := make([]byte, 1500)
	n, err := conn.Read(packet)
	if n == 0 {
		return "", errors.Join(errors.New("no packet came back"), err)
	}
	return string(packet[:n]), nil
}
