// Package panicked tells of a panic where it happened, and never what was panicked with: that may be a person's data, or a
// credential. Each goroutine that works on them ends its panics here.
package panicked

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-logr/logr"
)

// Error is a panic. Its text is for the log of a process: the type of the value and the stack, which shows no value either.
type Error struct {
	// Type is the Go type of what was panicked with.
	Type string
	// Stack is that of the goroutine, from where it panicked.
	Stack string
}

// With makes an Error of what recover returned. It is to be called in the function that recovers.
func With(value any) *Error {
	return &Error{Type: fmt.Sprintf("%T", value), Stack: string(debug.Stack())}
}

func (e *Error) Error() string { return "a panic with a value of type " + e.Type + "\n" + e.Stack }

// Guard calls f and returns a panic of it as an *Error. A goroutine that panics otherwise ends its process, and the runtime prints the
// value.
func Guard(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = With(value)
		}
	}()
	return f()
}

// Conceal is deferred where others recover and log the value: it puts an *Error in its place. A panic that nobody recovers is
// printed with both, so where that is so, Guard is what helps.
func Conceal() {
	if value := recover(); value != nil { //nolint:revive // Conceal is what is deferred
		panic(With(value))
	}
}

// Handler returns a member of runtime.PanicHandlers of k8s.io/apimachinery that logs a panic; the one that is there logs the value.
func Handler(log logr.Logger) func(context.Context, any) {
	return func(_ context.Context, value any) { log.Error(With(value), "Recovered") }
}
