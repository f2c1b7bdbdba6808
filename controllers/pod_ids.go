package controllers

import (
	"fmt"

	"k8s.io/client-go/discovery"
)

// openShiftSecurity is the API group of OpenShift's SecurityContextConstraints.
const openShiftSecurity = "security.openshift.io"

// AssignsIDs tells whether the cluster gives pods their user and groups, as OpenShift does by its SecurityContextConstraint restricted-v2, which
// refuses pods that name their own.
func AssignsIDs(known discovery.ServerGroupsInterface) (bool, error) {
	groups, err := known.ServerGroups()
	if err != nil {
		return false, fmt.Errorf("ask the API server for its groups: %w", err)
	}
	for _, group := range groups.Groups {
		if group.Name == openShiftSecurity {
			return true, nil
		}
	}
	return false, nil
}
