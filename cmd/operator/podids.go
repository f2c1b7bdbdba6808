package main

import (
	"errors"
	"fmt"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/controllers"
)

// podIDs says who chooses the user and groups of tenants' pods.
type podIDs string

const (
	podIDsAuto     podIDs = "auto"
	podIDsFixed    podIDs = "fixed"
	podIDsPlatform podIDs = "platform"
)

func (p *podIDs) parse(text string) error {
	switch given := podIDs(text); given {
	case podIDsAuto, podIDsFixed, podIDsPlatform:
		*p = given
		return nil
	}
	return errors.New("must be auto, fixed or platform")
}

// arePlatforms tells whether the cluster chooses, and asks it where it has to.
func (p podIDs) arePlatforms(cluster *rest.Config) (bool, error) {
	switch p {
	case podIDsFixed:
		return false, nil
	case podIDsPlatform:
		return true, nil
	}
	known, err := discovery.NewDiscoveryClientForConfig(cluster)
	if err != nil {
		return false, fmt.Errorf("make a client: %w", err)
	}
	assigns, err := controllers.AssignsIDs(known)
	if err != nil {
		return false, fmt.Errorf("find out who chooses the user of pods, which --pod-ids would say: %w", err)
	}
	return assigns, nil
}
