//go:build linux

package main

import "slices"

// allRows are the rows in the order of the table.
func allRows() []row {
	return slices.Concat(failoverRows(), patroniRows(), poolerRows(), connectionRows(), roleRows(), tlsRows(), faultRows(), versionRows(), suiteRows())
}
