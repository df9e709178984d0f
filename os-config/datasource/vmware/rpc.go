package vmware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// registers are those of one backdoor call, in and out.
type registers struct{ AX, BX, CX, DX, SI, DI uint32 }

// The protocol is that of open-vm-tools' lib/message and lib/rpcOut, in its
// form of four bytes a call, which every version of the hypervisor has.
const (
	magic       = 0x564d5868 // "VMXh"
	portNumber  = 0x5658
	message     = 0x1e
	rpci        = 0x4943_5052 // "RPCI"
	cookie      = 0x8000_0000 // the channel has a cookie
	statusWell  = 0x0001
	statusReply = 0x0002
)

// Types of messages, the high half of CX.
const (
	open = iota << 16
	sendSize
	sendData
	receiveSize
	receiveData
	receiveStatus
	closeChannel
)

// port makes one call of the hypervisor.
type port func(*registers) error

type channel struct {
	port   port
	id     uint32 // the high half of DX
	si, di uint32 // the cookie
}

var errRefused = errors.New("the hypervisor refuses")

// call sends one message and returns the registers after it.
func (c *channel) call(kind, value uint32) (registers, error) {
	r := registers{AX: magic, BX: value, CX: message | kind, DX: portNumber | c.id, SI: c.si, DI: c.di}
	if err := c.port(&r); err != nil {
		return r, err
	}
	if r.CX>>16&statusWell == 0 {
		return r, errRefused
	}
	return r, nil
}

// rpc sends a command and returns the reply.
func rpc(p port, command string) (reply string, err error) {
	c := channel{port: p}
	r, err := c.call(open, rpci|cookie)
	if err != nil {
		return "", fmt.Errorf("open a channel: %w", err)
	}
	c.id, c.si, c.di = r.DX&0xffff_0000, r.SI, r.DI
	defer func() {
		if _, closeErr := c.call(closeChannel, 0); err == nil && closeErr != nil {
			err = fmt.Errorf("close the channel: %w", closeErr)
		}
	}()
	if err := c.send(command); err != nil {
		return "", fmt.Errorf("send: %w", err)
	}
	if reply, err = c.receive(); err != nil {
		return "", fmt.Errorf("receive: %w", err)
	}
	return reply, nil
}

func (c *channel) send(command string) error {
	if _, err := c.call(sendSize, uint32(len(command))); err != nil {
		return err
	}
	const word = 4
	for data := []byte(command); len(data) > 0; data = data[min(word, len(data)):] {
		var four [word]byte
		copy(four[:], data)
		if _, err := c.call(sendData, binary.LittleEndian.Uint32(four[:])); err != nil {
			return err
		}
	}
	return nil
}

func (c *channel) receive() (string, error) {
	r, err := c.call(receiveSize, 0)
	switch {
	case err != nil:
		return "", err
	case r.CX>>16&statusReply == 0:
		return "", errors.New("there is no reply")
	case r.DX>>16 != sendSize>>16:
		return "", errors.New("the reply has no size")
	case r.BX > 2*osconfig.MaxSize: // base64 of what will be read
		return "", fmt.Errorf("the reply has %d bytes; the limit is %d", r.BX, 2*osconfig.MaxSize)
	}
	size := int(r.BX)
	var out []byte
	for len(out) < size {
		r, err := c.call(receiveData, statusWell)
		if err != nil {
			return "", err
		}
		if r.DX>>16 != sendData>>16 {
			return "", errors.New("the reply has no data")
		}
		out = binary.LittleEndian.AppendUint32(out, r.BX)
	}
	if _, err := c.call(receiveStatus, statusWell); err != nil {
		return "", err
	}
	return string(out[:size]), nil
}

// guestinfo asks for a value; what is not set is empty.
func guestinfo(p port, key string) (string, error) {
	const tries = 3 // a machine that is moved loses its channels
	var err error
	for range tries {
		var reply string
		if reply, err = rpc(p, "info-get guestinfo."+key); err != nil {
			if errors.Is(err, errFault) {
				break
			}
			continue
		}
		if value, ok := strings.CutPrefix(reply, "1 "); ok {
			return value, nil
		}
		return "", nil // "0 No value found"
	}
	return "", fmt.Errorf("guestinfo.%s: %w", key, err)
}
