package store

import "context"

type backgroundKey struct{}

// Background returns a context for work that nobody waits for, which an engine may make wait rather than open another connection for it.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// InBackground tells whether a context is for work that nobody waits for.
func InBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }
