// Package tlsalpn01 has the one name that Traefik's TLS stores take from it.
package tlsalpn01

// ACMETLS1Protocol is the ALPN protocol of RFC 8737.
const ACMETLS1Protocol = "acme-tls/1"
