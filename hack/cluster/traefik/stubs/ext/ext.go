// Package ext holds the two empty extension points that Traefik embeds in its configuration and publishes nowhere.
package ext

// HTTP extends an HTTP configuration by nothing.
type HTTP struct{}

// Router extends a router by nothing.
type Router struct{}
