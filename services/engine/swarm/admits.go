package swarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// errRejected is the error when a manager does not accept a join token.
var errRejected = errors.New("it does not accept rancher.docker.swarm.join.token, which may have been rotated; " + tokenHint)

// oversized is the length of a certificate request that no manager accepts:
// more than swarmkit's store.MaxTransactionBytes, less than a message may have.
const oversized = 2 << 20

// admits asks a manager whether it accepts a join token; it returns errRejected
// if not. A manager that accepts it would make a node, which a request that is
// too large prevents: swarmkit looks at the token first. Any other answer is no
// error, and says nothing of the token.
//
// The call is a gRPC one, IssueNodeCertificate of
// github.com/moby/swarmkit/v2, api/ca.proto.
func admits(ctx context.Context, address string, roots []byte, token string) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: managerName}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+"/docker.swarmkit.v1.NodeCA/IssueNodeCertificate",
		bytes.NewReader(certificateRequest(token)))
	if err != nil {
		return fmt.Errorf("address of a manager: %w", err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxFile)); err != nil {
		return nil
	}
	message := answer.Trailer.Get("Grpc-Message")
	if message == "" { // an answer of trailers alone
		message = answer.Header.Get("Grpc-Message")
	}
	if message, err = url.PathUnescape(message); err == nil && strings.Contains(message, "join token") {
		return errRejected
	}
	return nil
}

// certificateRequest is an IssueNodeCertificateRequest as gRPC frames it: not
// compressed, its length, and its fields 2, the certificate request, and 3, the
// token.
func certificateRequest(token string) []byte {
	const csr, secret, ofBytes = 2, 3, 2
	text := binary.AppendUvarint([]byte{csr<<3 | ofBytes}, oversized)
	text = append(text, make([]byte, oversized)...)
	text = binary.AppendUvarint(append(text, secret<<3|ofBytes), uint64(len(token)))
	text = append(text, token...)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}
