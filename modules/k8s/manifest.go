package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/module"
)

// document is one object of a manifest, and where it stands.
type document struct {
	*unstructured.Unstructured
	source string // "manifest", or the path of a file
	number int    // from 1, as people count
	line   int    // the first of the document
}

// String names the object as kubectl does.
func (d document) String() string { return d.GetKind() + "/" + d.GetName() }

// fault puts the document's place before an error about it.
func (d document) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, document %d (line %d), %s: %w", d.source, d.number, d.line, d, err)
}

// separator is a line that ends a YAML document; it cannot stand inside one.
var separator = regexp.MustCompile(`^---(\s|$)`)

// parse reads the objects of a manifest, and all its faults at once.
func parse(source, text string) ([]document, error) {
	var (
		docs  []document
		errs  []error
		chunk []string
		first = 1
		count = 0
	)
	finish := func() {
		body := strings.Join(chunk, "\n")
		if onlyComments(chunk) {
			return
		}
		count++
		objects, err := parseOne(body, first)
		for _, o := range objects {
			docs = append(docs, document{o, source, count, first})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, document %d (line %d): %w", source, count, first, err))
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if separator.MatchString(line) {
			finish()
			chunk, first = nil, i+2
			continue
		}
		chunk = append(chunk, strings.TrimSuffix(line, "\r"))
	}
	finish()
	if len(docs) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s holds no object", source))
	}
	return docs, errors.Join(errs...)
}

func onlyComments(lines []string) bool {
	return !slices.ContainsFunc(lines, func(line string) bool {
		line = strings.TrimSpace(line)
		return line != "" && line[0] != '#'
	})
}

// parseOne reads one document: an object, or a List of objects.
func parseOne(body string, first int) ([]*unstructured.Unstructured, error) {
	raw, err := yaml.YAMLToJSONStrict([]byte(body))
	if err != nil {
		return nil, errors.New(shiftLines(err.Error(), first-1))
	}
	var fields map[string]any
	if err := utiljson.Unmarshal(raw, &fields); err != nil {
		return nil, errors.New("is no object: an object has apiVersion, kind and metadata")
	}
	o := &unstructured.Unstructured{Object: fields}
	if !o.IsList() || !strings.HasSuffix(o.GetKind(), "List") {
		return []*unstructured.Unstructured{o}, complete(o)
	}
	list, err := o.ToList()
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	var errs []error
	for i := range list.Items {
		objects = append(objects, &list.Items[i])
		errs = append(errs, complete(&list.Items[i]))
	}
	return objects, errors.Join(errs...)
}

func complete(o *unstructured.Unstructured) error {
	for field, value := range map[string]any{"apiVersion": o.Object["apiVersion"], "kind": o.Object["kind"]} {
		if text, ok := value.(string); !ok || text == "" {
			return fmt.Errorf("has no %s", field)
		}
	}
	if o.GetName() == "" {
		return fmt.Errorf("the %s has no metadata.name", o.GetKind())
	}
	return nil
}

// The YAML parser counts lines from the start of the document, and wraps what
// it says in words about JSON.
var (
	lineNumber = regexp.MustCompile(`line (\d+)`)
	wrapping   = regexp.MustCompile(`^(error converting YAML to JSON: )?(yaml: )?(unmarshal errors:\s*)?`)
)

func shiftLines(text string, by int) string {
	text = wrapping.ReplaceAllString(text, "")
	return lineNumber.ReplaceAllStringFunc(text, func(m string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(m, "line "))
		if err != nil {
			return m
		}
		return "line " + strconv.Itoa(n+by)
	})
}

// documents are all objects of the step, in the order in which they stand.
func (a *Apply) documents(env *module.Env) ([]document, error) {
	if a.Manifest != "" {
		docs, err := parse("manifest", a.Manifest)
		return docs, module.At("manifest", err)
	}
	arg, patterns := "files", a.Files
	if a.File != "" {
		arg, patterns = "file", []string{a.File}
	}
	paths, err := expand(env, patterns)
	if err != nil {
		return nil, module.At(arg, err)
	}
	var docs []document
	var errs []error
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		some, err := parse(path, string(text))
		docs, errs = append(docs, some...), append(errs, err)
	}
	return docs, module.At(arg, errors.Join(errs...))
}

// expand finds the files of patterns: in the order of the patterns, and by name
// within one.
func expand(env *module.Env, patterns []string) ([]string, error) {
	var paths []string
	for _, p := range patterns {
		found, err := filepath.Glob(env.Path(p))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no file is called %s", env.Path(p))
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// text is a document as a plan shows it.
func (d document) text() string {
	raw, err := json.Marshal(visible(d.Unstructured))
	if err != nil {
		return ""
	}
	out, err := yaml.JSONToYAML(raw)
	if err != nil {
		return ""
	}
	return string(out)
}
