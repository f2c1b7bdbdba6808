package redact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// attributes of a line of a log of our programs that are shown as text. Of others only numbers and booleans are shown.
var attributes = []string{ //nolint:gochecknoglobals // a table
	"time", "ts", "level", "msg", "logger", "caller", "error", "err", "text", "reason", "message", "cause", "controller", "controllerGroup", "controllerKind",
	"ProvisioningTenant", "UserDefaults", "namespace", "name", "tenant", "kind", "group", "version", "object", "reconcileID", "operatorNamespace", "what",
	"condition", "status", "outcome", "method", "route", "operation", "resourceType", "attempt", "interval", "duration", "since", "until", "crd", "fields",
	"host", "address", "addr", "engine", "schema", "port", "image", "step", "state", "stacktrace", "source", "type", "lock", "trying", "resource",
	"ingress", "directory", "synchronous_commit",
}

// measures are attributes that say how long something takes, or where a program listens. Of them nothing else is shown.
var measures = []string{"in", "every", "away", "reservedFor", "clients", "admin", "bindAddress"} //nolint:gochecknoglobals // a table

var (
	pair     = regexp.MustCompile(`([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)`)
	frame    = regexp.MustCompile(`^([\w./*()\[\]·-]+?)\(.*\)$`)
	position = regexp.MustCompile(`^\s+\S+\.go:\d+(?: \+0x[0-9a-f]+)?$`)
	thread   = regexp.MustCompile(`^goroutine \d+ \[[a-zA-Z0-9 ,]+\]:$`)
	sample   = regexp.MustCompile(`^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$`)
	label    = regexp.MustCompile(`([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"`)
)

// Line returns what may be shown of a line of a log: of our programs' the attributes that are known, in either of their formats, of a stack the
// functions, and of anything else its length.
func (r *Redactor) Line(line string) string {
	var entry map[string]any
	switch {
	case strings.TrimSpace(line) == "":
		return ""
	case strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &entry) == nil:
		shown, err := json.Marshal(r.entry(entry))
		if err != nil {
			return length(line)
		}
		return string(shown)
	case strings.HasPrefix(line, "time=") && strings.Contains(line, " level="):
		return r.pairs(line)
	default:
		return stack(line)
	}
}

func (r *Redactor) entry(entry map[string]any) map[string]any {
	shown, _ := walk(entry, nil, func(path []string, value string) any {
		return r.attribute(path[0], value)
	}).(map[string]any)
	return shown
}

func (r *Redactor) attribute(name, value string) string {
	switch {
	case slices.Contains(measures, name) && measured(value):
		return value
	case name == "requestID" && request.MatchString(value), name == "reconcileID" && uid.MatchString(value):
		return value
	case !slices.Contains(attributes, name):
		return length(value)
	}
	lines := strings.Split(value, "\n") // of which those behind the first are a stack
	lines[0] = r.Text(lines[0])
	for i, line := range lines[1:] {
		lines[i+1] = stack(line)
	}
	return strings.Join(lines, "\n")
}

func (r *Redactor) pairs(line string) string {
	var shown []string
	for _, found := range pair.FindAllStringSubmatch(line, -1) {
		value := found[2]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		if value = r.attribute(found[1], value); strings.ContainsAny(value, " \"\n=") {
			value = strconv.Quote(value)
		}
		shown = append(shown, found[1]+"="+value)
	}
	return strings.Join(shown, " ")
}

// stack shows a line of a stack, without the arguments of functions.
func stack(line string) string {
	switch function := frame.FindStringSubmatch(line); {
	case line == "", thread.MatchString(line), position.MatchString(line):
		return line
	case function != nil && strings.ContainsAny(function[1], "./"):
		return function[1] + "(...)"
	default:
		return fmt.Sprintf("[a line of %d bytes that is none of ours]", len(line))
	}
}

// labels of metrics whose values are shown.
var labels = []string{ //nolint:gochecknoglobals // a table
	"code", "method", "status", "le", "quantile", "version", "result", "kind", "condition", "reason", "cause", "crd", "controller", "operation", "outcome",
	"resource_type", "type", "event", "worker", "goversion", "path", "le", "scope", "state", "engine", "route", "role", "pool",
}

// Metric returns what may be shown of a line of the text format of Prometheus; "" for a comment.
func (r *Redactor) Metric(line string) string {
	found := sample.FindStringSubmatch(line)
	if found == nil {
		return ""
	}
	shown := label.ReplaceAllStringFunc(found[2], func(text string) string {
		if parts := label.FindStringSubmatch(text); !slices.Contains(labels, parts[1]) && !r.known[parts[2]] {
			return fmt.Sprintf("%s=%q", parts[1], mark)
		}
		return text
	})
	return found[1] + shown + " " + found[3]
}
