// Reads a compose file with the library that `docker compose` reads it with: syntax, schema, references between services, volumes,
// profiles. With profiles named, their services are taken in.
//
//	compose FILE [PROFILE...]
//	compose -service NAME FILE [PROFILE...]    its environment, a line each, an empty line, its command's words, a line each
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	service := flag.String("service", "", "print this service's environment and command")
	flag.Parse()
	if flag.NArg() < 1 {
		fmt.Fprintln(os.Stderr, "usage: compose [-service NAME] FILE [PROFILE...]")
		os.Exit(2)
	}
	if err := check(flag.Arg(0), flag.Args()[1:], *service); err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		os.Exit(1)
	}
}

func check(file string, profiles []string, shown string) error {
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
	if shown != "" {
		return show(project, shown)
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

func show(project *types.Project, name string) error {
	service, err := project.GetService(name)
	if err != nil {
		return err
	}
	for key, value := range service.Environment {
		if value != nil {
			fmt.Printf("%s=%s\n", key, *value)
		}
	}
	fmt.Println()
	for _, word := range service.Command {
		fmt.Println(word)
	}
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
