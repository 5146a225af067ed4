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

// This file makes connections, and finds out why one could not be made. A server that is spoken to
// with TLS and has none, or the reverse, may close the connection, answer what nobody expects, or
// stay silent. So whoever gets no answer asks once more in the other way: if that is answered, the
// scheme of the URL is wrong, and no repeat can help.

const (
	tlsPatience = time.Second // before a server that does not answer a TLS handshake is asked without
	askTime     = time.Second // how long it has to answer
)

func dialUnix(ctx context.Context, path string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return dialer.DialContext(ctx, "unix", path)
}

// dialTCP makes a connection, with TLS if config is not nil. All of it takes no longer than the
// dialer's timeout.
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

// speaksPlain reports whether a server answers without TLS, if only to refuse.
func speaksPlain(ctx context.Context, addr string, dialer *net.Dialer) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // it has told what it was made for
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at) // without one the read ends with the connection
	}
	reply := make([]byte, 1)
	if _, err = conn.Write([]byte("PING\r\n")); err == nil {
		_, err = conn.Read(reply)
	}
	return err == nil && (reply[0] == '+' || reply[0] == '-')
}

// speaksTLS reports whether a server answers a TLS handshake, if only to refuse.
func speaksTLS(ctx context.Context, addr string, dialer *net.Dialer) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	// Nothing is sent over this connection, so that nobody needs to prove who answers.
	d := tls.Dialer{NetDialer: dialer, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		_ = conn.Close()
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" // an alert: it wants a certificate of ours, for example
}

// wrongURL says what is wrong with the URL, going by the error of a connection that it led to; nil
// if that may be an error that passes.
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
		return nil // nobody was reached, or it was asked already
	}
	if speaksTLS(ctx, addr, &option.Dialer) {
		return bad("asks for no TLS, and %s speaks only TLS: its scheme must be rediss or valkeys", addr)
	}
	return nil
}
