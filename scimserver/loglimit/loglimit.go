// Package loglimit bounds how many lines the process log gets. Most lines can be provoked by a request, and requests come without end: a
// full disk, or a bill for stored logs, would be in the hands of their sender.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Burst is how many lines with one message are logged at once.
	Burst = 20
	// Interval is the time after which one more is logged: 360 an hour.
	Interval = 10 * time.Second

	// LeftOut is the attribute that counts the lines with the same message that were left out before this one.
	LeftOut = "leftOut"

	// maxMessages bounds what is remembered. Messages are constants of the program, so there are fewer; any more share one budget.
	maxMessages = 1000
)

// Handler is a slog.Handler that hands on lines within the budget of their message. Lines below slog.LevelInfo have no bound, because they
// are only made where an administrator asks for a line for each request.
type Handler struct {
	next    slog.Handler
	budgets *budgets
}

// New returns a Handler before another.
func New(next slog.Handler) *Handler {
	return &Handler{next: next, budgets: &budgets{byMessage: map[string]*budget{}}}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler. The budgets stay the same: what a line says of its request makes it no other message.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrs), budgets: h.budgets}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), budgets: h.budgets}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, line slog.Record) error {
	if line.Level < slog.LevelInfo {
		return h.next.Handle(ctx, line)
	}
	leftOut, ok := h.budgets.take(line.Message, line.Time)
	if !ok {
		return nil
	}
	if leftOut > 0 {
		line = line.Clone()
		line.AddAttrs(slog.Int64(LeftOut, leftOut))
	}
	return h.next.Handle(ctx, line)
}

// budgets are those of all messages.
type budgets struct {
	mu        sync.Mutex
	byMessage map[string]*budget
}

// budget is that of one message.
type budget struct {
	lines   *rate.Limiter
	leftOut int64
}

// take tells whether a line is logged, and how many were left out before it.
func (b *budgets) take(message string, at time.Time) (leftOut int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of, known := b.byMessage[message]
	if !known {
		if len(b.byMessage) >= maxMessages {
			message = ""
		}
		if of, known = b.byMessage[message]; !known {
			of = &budget{lines: rate.NewLimiter(rate.Every(Interval), Burst)}
			b.byMessage[message] = of
		}
	}
	if !of.lines.AllowN(at, 1) {
		of.leftOut++
		return 0, false
	}
	leftOut, of.leftOut = of.leftOut, 0
	return leftOut, true
}
