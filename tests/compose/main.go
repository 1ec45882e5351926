// Reads a compose file with the library that `docker compose` reads it with: syntax, schema, references between services, volumes,
// profiles. With profiles named, their services are taken in.
//
//	compose FILE [PROFILE...]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: compose FILE [PROFILE...]")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		os.Exit(1)
	}
}

func check(file string, profiles []string) error {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithWorkingDirectory(filepath.Dir(file)),
		cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv,
		cli.WithDefaultProfiles(profiles...))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	var names []string
	for name, service := range project.Services {
		names = append(names, name)
		if err := mounted(name, service.Volumes); err != nil {
			return err
		}
	}
	sort.Strings(names)
	fmt.Printf("%s: %d services: %s\n", filepath.Base(file), len(names), strings.Join(names, ", "))
	return nil
}

// Docker makes an empty folder of a mounted path that is not there, and the service starts without what it needs. Only folders into which
// something is to be written may be missing.
func mounted(service string, volumes []types.ServiceVolumeConfig) error {
	for _, volume := range volumes {
		if volume.Type != types.VolumeTypeBind || !volume.ReadOnly || filepath.Base(volume.Source) == "data" {
			continue
		}
		if _, err := os.Stat(volume.Source); err != nil {
			return fmt.Errorf("service %s mounts what is not there: %w", service, err)
		}
	}
	return nil
}
