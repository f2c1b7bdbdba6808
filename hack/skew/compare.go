package main

import (
	"fmt"
	"slices"
	"strings"
)

// goReads are variables that Go's own libraries read, in servers of every version.
func goReads() []string {
	return []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE"}
}

// compare returns what keeps an operator of now from running servers of before. It may give them more as long as they take it, and goes on giving
// what they may need. The flags and paths that people and programs use of a server stay too.
func compare(before, now contract) (breaks []string) {
	each := func(of string, ones []string, format string) {
		for _, one := range ones {
			breaks = append(breaks, of+": "+fmt.Sprintf(format, one))
		}
	}
	for command, flags := range before.Flags {
		each(command, missing(flags, now.Flags[command]), "flag --%s is gone: let the server take it")
	}
	each(serve, missing(before.Paths, now.Paths), "path %s is gone: let the server answer it")
	each(serve, missing(before.Verifiers, now.Verifiers), "field %s is gone, which servers of the release read: go on writing it")

	for name, asked := range now.Pods {
		flags, known := before.Flags[asked.Command]
		if !known {
			each(name, []string{asked.Command}, "servers of the release have no command %q: run it one version after they have it")
			continue
		}
		each(name, missing(given(asked), flags), "servers of the release do not take --%s: give it one version after they do")
		each(name, missing(asked.Probes, before.Paths), "servers of the release do not answer %s: ask for it one version after they do")
		if was, old := before.Pods[name]; old {
			each(name, missing(asked.Environment, slices.Concat(was.Environment, goReads())),
				"servers of the release do not read %s: let them take a flag, and give that one version later")
			each(name, missing(asked.Ports, was.Ports), "servers of the release do not listen on %s: put back what it was")
		}
	}
	for name, was := range before.Pods {
		asked, runs := now.Pods[name]
		if !runs {
			continue
		}
		const format = " is gone, which servers of the release may need: go on giving it"
		each(name, missing(given(was), given(asked)), "--%s"+format)
		each(name, missing(was.Environment, asked.Environment), "variable %s"+format)
		each(name, missing(was.Mounts, asked.Mounts), "mount %s"+format)
		each(name, missing(was.Ports, asked.Ports), "port %s"+format)
		each(name, missing(was.Rights, asked.Rights), "right to %s"+format)
	}
	return breaks
}

// missing are those of had that has lacks.
func missing(had, has []string) (lacks []string) {
	for _, one := range had {
		if !slices.Contains(has, one) {
			lacks = append(lacks, one)
		}
	}
	return lacks
}

// given are the names of the flags that a pod is given.
func given(p pod) (names []string) {
	for _, argument := range p.Arguments {
		name, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		names = append(names, name)
	}
	return names
}
