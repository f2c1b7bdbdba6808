// Package architecture has no code. Its tests hold the whole repository to what no single package can see: what each
// program links in the end, and that documents name only what exists.
package architecture
