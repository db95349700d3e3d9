// What Flux's controllers do with an object, done by their own libraries:
//
//	flux status [KUSTOMIZATION]  the health of each object on stdin, one a line; by the Kustomization's healthCheckExprs, if it is given
//	flux apply                   applies the objects on stdin as kustomize-controller does, and tells what it did
//	flux decode FILE...          reads Flux's own kinds, and refuses fields that they do not have
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	controller = "kustomize-controller"
	policy     = "kustomize.toolkit.fluxcd.io/ssa"
)

func main() {
	commands := map[string]func([]string) error{"status": printStatus, "apply": apply, "decode": decode}
	run := commands[append(os.Args, "")[1]]
	if run == nil {
		fail(errors.New("flux status | apply | decode"))
	}
	if err := run(os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func printStatus(arguments []string) error {
	judge, err := judgeOf(arguments)
	if err != nil {
		return err
	}
	found, err := utils.ReadObjects(os.Stdin)
	if err != nil {
		return err
	}
	for _, object := range found {
		result, err := judge(object)
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		fmt.Println(result.Status)
	}
	return nil
}

func judgeOf(arguments []string) (func(*unstructured.Unstructured) (*status.Result, error), error) {
	if len(arguments) == 0 {
		return status.Compute, nil
	}
	var kustomization kustomizev1.Kustomization
	if _, err := read(arguments[0], &kustomization); err != nil {
		return nil, err
	}
	if len(kustomization.Spec.HealthCheckExprs) != 1 {
		return nil, fmt.Errorf("%s has %d healthCheckExprs", arguments[0], len(kustomization.Spec.HealthCheckExprs))
	}
	expressions := kustomization.Spec.HealthCheckExprs[0].HealthCheckExpressions
	evaluator, err := cel.NewStatusEvaluator(&expressions)
	if err != nil {
		return nil, err
	}
	return func(object *unstructured.Unstructured) (*status.Result, error) {
		return evaluator.Evaluate(context.Background(), object)
	}, nil
}

func apply([]string) error {
	found, err := utils.ReadObjects(os.Stdin)
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	kubernetes, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	manager := ssa.NewResourceManager(kubernetes, nil, ssa.Owner{Field: controller, Group: kustomizev1.GroupVersion.Group})
	manager.SetOwnerLabels(found, "gpu-instances", "flux-system")
	changes, err := manager.ApplyAll(context.Background(), found, options())
	if err != nil {
		return err
	}
	for _, change := range changes.Entries {
		fmt.Println(change.Action)
	}
	return nil
}

// options are those of kustomize-controller (internal/controller/kustomization_controller.go, `apply`), which it does not export.
func options() ssa.ApplyOptions {
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = map[string]string{policy: kustomizev1.IgnoreValue}
	options.IfNotPresentSelector = map[string]string{policy: kustomizev1.IfNotPresentValue}
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: controller, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{policy: kustomizev1.MergeValue},
	}
	return options
}

func decode(files []string) error {
	kinds := map[string]any{
		"GitRepository": &sourcev1.GitRepository{},
		"OCIRepository": &sourcev1.OCIRepository{},
		"Kustomization": &kustomizev1.Kustomization{},
		"HelmRelease":   &helmv2.HelmRelease{},
	}
	for _, file := range files {
		var head metav1.TypeMeta
		text, err := read(file, &head)
		if err != nil {
			return err
		}
		kind, ok := kinds[head.Kind]
		if !ok {
			return fmt.Errorf("%s: %s is no kind of Flux that is known here", file, head.Kind)
		}
		if err := yaml.UnmarshalStrict(text, kind); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Println(head.Kind)
	}
	return nil
}

func read(file string, into any) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return text, yaml.Unmarshal(text, into)
}
