package swarm

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority is a swarm's certificate authority.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "swarm-ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{t, key, template}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) roots() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// certificate is that of a node with a role.
func (a authority) certificate(role string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{OrganizationalUnit: []string{role}}, DNSNames: []string{role}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// listens is a node of the swarm with a role that listens.
func (a authority) listens(role string) string {
	a.t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{a.certificate(role)}, NextProtos: []string{"h2"}, ClientAuth: tls.VerifyClientCertIfGiven,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return serve(a.t, l)
}

// serve shakes hands until the test ends.
func serve(t *testing.T, l net.Listener) string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if c, ok := conn.(*tls.Conn); ok {
				c.Handshake() // the other end judges it
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// Whoever answers must prove that it is a manager of this swarm.
func TestBelongs(t *testing.T) {
	own, other := newAuthority(t), newAuthority(t)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		address string
		roots   []byte
		ok      bool
	}{
		"a manager":          {own.listens("swarm-manager"), own.roots(), true},
		"among several":      {own.listens("swarm-manager"), append(other.roots(), own.roots()...), true},
		"a worker":           {own.listens("swarm-worker"), own.roots(), false},
		"of another swarm":   {other.listens("swarm-manager"), own.roots(), false},
		"without TLS":        {serve(t, plain), own.roots(), false},
		"damaged at our end": {own.listens("swarm-manager"), []byte("x"), false},
	} {
		if err := belongs(t.Context(), tc.address, tc.roots); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := belongs(ctx, own.listens("swarm-manager"), own.roots()); err == nil {
		t.Error("no error")
	}
}

// A manager that does not accept a token says so before it looks at the rest of
// the request. What answers otherwise has not said anything about the token.
func TestAdmits(t *testing.T) {
	own := newAuthority(t)
	var got []byte
	manager := func(message string, only bool) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			if r.ProtoMajor != 2 || r.URL.Path != "/docker.swarmkit.v1.NodeCA/IssueNodeCertificate" || r.Header.Get("Content-Type") != "application/grpc" {
				t.Errorf("%s %s %v", r.Proto, r.URL, r.Header)
			}
			prefix := http.TrailerPrefix
			if only {
				prefix = ""
			}
			w.Header().Set(prefix+"Grpc-Status", "3")
			w.Header().Set(prefix+"Grpc-Message", message)
		}))
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{own.certificate("swarm-manager")}, NextProtos: []string{"h2"}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	for name, tc := range map[string]struct {
		address string
		want    error
	}{
		"rotated":          {manager("A valid join token is necessary to join this cluster", false), errRejected},
		"without a body":   {manager("A valid join%20token is necessary to join this cluster", true), errRejected},
		"accepted":         {manager("raft: raft message is too large and can't be sent", false), nil},
		"accepted, a node": {manager("", false), nil},
		"something else":   {own.listens("swarm-manager"), nil},
		"nothing":          {"127.0.0.1:1", nil},
		"without a leader": {manager("%zz", true), nil},
	} {
		if err := admits(t.Context(), tc.address, own.roots(), "SWMTKN-1-x"); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(got); !bytes.HasSuffix(got, []byte("SWMTKN-1-x")) || n < oversized || n > 4<<20 || int(binary.BigEndian.Uint32(got[1:])) != n-5 {
		t.Errorf("a request of %d bytes", n)
	}
}

// The token was made by swarmkit for these root certificates.
func TestTokenOf(t *testing.T) {
	roots := []byte(`-----BEGIN CERTIFICATE-----
MIIBaTCCARCgAwIBAgIUEBKRALNU/sy4oUUeZW9k/1Ja+FswCgYIKoZIzj0EAwIw
EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMjAxMDUxNTAwWhcNNDYxMTI2MDUx
NTAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABDzI4f82+CqCr6I9hQGRKBWXsSjoD8hOdXb8WCivDSu5/4rGdUA2rmVBNXmU
D1YtQsK5xNofTC4hmjpHJBity9ajQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdDgQWBBQ4OadSZJfpOOjJzkPJwy5Q9GyQJzAKBggqhkjO
PQQDAgNHADBEAiBSYPsZx5jo0yuDgnsHqXpJMdG4eJ8VzRueZCtYHOO+4QIgbiWm
don/u/ZHwZskI7SfVfNHfdwk9bmEWLhzj54Z9fI=
-----END CERTIFICATE-----
`)
	token := "SWMTKN-1-3lfx8q4my8cbwybqmnt95glut5xilme34qzf5ytj9rnb8y2v7x-4rweocgha2tw95vot57h9l3un"
	fips := strings.Replace(token, "SWMTKN-1-", "SWMTKN-2-1-", 1)
	for token, want := range map[string]bool{
		token: true, fips: true, "": false, "SWMTKN-1-x": false, "SWMTKN-1-!-t": false, strings.Replace(token, "3lfx", "3lfy", 1): false,
	} {
		if tokenOf(token, roots) != want {
			t.Errorf("%q: %v", token, !want)
		}
	}
}
