package main

import (
	"io"
	standard "log"
	"log/slog"
	"strings"
	"unicode"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/loglimit"
)

// logger returns the process log. No message is logged more often than loglimit allows.
func logger(out io.Writer, o options) logr.Logger {
	handlerOptions := &slog.HandlerOptions{Level: o.logLevel, ReplaceAttr: printable}
	if o.logFormat == "text" {
		return logr.FromSlogHandler(loglimit.New(slog.NewTextHandler(out, handlerOptions)))
	}
	return logr.FromSlogHandler(loglimit.New(slog.NewJSONHandler(out, handlerOptions)))
}

// printable replaces what would steer a terminal, or turn the direction of a line, in the text of an attribute: an error of the storage
// or of the API server may quote what others wrote. Both formats escape line feeds and tabs, which stacks have.
func printable(_ []string, attr slog.Attr) slog.Attr {
	var text string
	switch value := attr.Value.Any().(type) {
	case string:
		text = value
	case error:
		text = value.Error()
	default:
		return attr
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
	if clean != text {
		attr.Value = slog.StringValue(clean)
	}
	return attr
}

// followStandardLog makes the process log have what the standard library logs, of both ports and of requests to the login authority.
func followStandardLog(log logr.Logger) {
	standard.SetFlags(0)
	standard.SetOutput(standardLog{log})
}

// maxStandardLine is how much is logged of a line of the standard library, in bytes.
const maxStandardLine = 200

// standardLog is where the standard library logs to. Of its text only the first line is logged, and nothing of what a panic was called with
// or of a client's address: both may be personal data.
type standardLog struct{ log logr.Logger }

// Write implements io.Writer.
func (s standardLog) Write(text []byte) (int, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	for _, kind := range []string{"http: panic serving", "http: TLS handshake error", "http2: "} {
		if strings.HasPrefix(line, kind) {
			line = kind
		}
	}
	s.log.Error(nil, "the standard library reported an error", "text", line[:min(len(line), maxStandardLine)])
	return len(text), nil
}
