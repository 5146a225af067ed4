package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// This file makes connections, and finds out why one failed. If the client uses TLS and the server
// does not, or the reverse, the server may close the connection, send an unexpected answer, or not
// answer. So after no answer the client tries once more in the other way. If the server answers
// that, the scheme of the URL is wrong, and repeats cannot help.

const (
	tlsPatience = time.Second // how long to wait for a TLS handshake before trying without TLS
	askTime     = time.Second // how long the server has to answer that
)

func dialUnix(ctx context.Context, path string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return dialer.DialContext(ctx, "unix", path)
}

// dialTCP makes a connection, with TLS if config is not nil. It takes at most the dialer's timeout.
func dialTCP(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	ctx, cancel := context.WithTimeout(ctx, dialer.Timeout)
	defer cancel()
	quick := *dialer
	quick.Timeout = min(tlsPatience, dialer.Timeout)
	conn, err := (&tls.Dialer{NetDialer: &quick, Config: config}).DialContext(ctx, "tcp", addr)
	var timeout net.Error
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record) || errors.As(err, &timeout) && timeout.Timeout():
	default:
		return conn, err
	}
	if speaksPlain(ctx, addr, dialer) {
		return nil, &store.FieldError{
			Field:  "URL",
			Reason: fmt.Sprintf("asks for TLS, and %s speaks without: its scheme must be redis or valkey", addr),
		}
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", addr)
}

// speaksPlain reports whether a server answers without TLS, even if it refuses.
func speaksPlain(ctx context.Context, addr string, dialer *net.Dialer) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // the connection has done its work
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at) // without a deadline, the read ends with the connection
	}
	reply := make([]byte, 1)
	if _, err = conn.Write([]byte("PING\r\n")); err == nil {
		_, err = conn.Read(reply)
	}
	return err == nil && (reply[0] == '+' || reply[0] == '-')
}

// speaksTLS reports whether a server answers a TLS handshake, even if it refuses.
func speaksTLS(ctx context.Context, addr string, dialer *net.Dialer) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	// No data is sent over this connection, so the server's certificate need not be checked.
	d := tls.Dialer{NetDialer: dialer, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		_ = conn.Close()
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" // an alert: it wants a certificate of ours, for example
}

// wrongURL derives from the error of a connection what is wrong with the URL. It returns nil if the
// error may be temporary.
func wrongURL(ctx context.Context, option *rueidis.ClientOption, err error) error {
	bad := func(format string, args ...any) error {
		return &store.FieldError{Field: "URL", Reason: fmt.Sprintf(format, args...)}
	}
	var field *store.FieldError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &field) {
		return field
	}
	if errors.As(err, &certificate) {
		return bad("leads to a server whose certificate is not valid for it: %v", certificate.Err)
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		switch text := reply.Error(); {
		case strings.Contains(text, "DB index is out of range"):
			return bad("names database %d, which the server does not have", option.SelectDB)
		case strings.Contains(text, "SELECT is not allowed in cluster mode"):
			return bad("names database %d, and a cluster has only database 0", option.SelectDB)
		}
		return nil
	}
	first := option.TLSConfig
	if option.Sentinel.MasterSet != "" {
		first = option.Sentinel.TLSConfig
	}
	addr := option.InitAddress[0]
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" || first != nil || strings.HasPrefix(addr, "/") {
		return nil // no server was reached, or it was tried already
	}
	if speaksTLS(ctx, addr, &option.Dialer) {
		return bad("asks for no TLS, and %s speaks only TLS: its scheme must be rediss or valkeys", addr)
	}
	return nil
}
