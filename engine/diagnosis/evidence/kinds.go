package evidence

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// kind is one kind of fact.
type kind struct {
	name   string
	goType reflect.Type
	ctype  cty.Type
}

func kindOf[T any](name string) kind {
	var zero T
	t, err := gocty.ImpliedType(zero)
	if err != nil {
		panic(fmt.Sprintf("facts of kind %s: %s", name, err))
	}
	return kind{name, reflect.TypeOf(zero), t}
}

// kinds are all there are. A struct is of one kind.
var kinds = []kind{
	kindOf[Pod]("k8s.pod"),
	kindOf[Container]("k8s.container"),
	kindOf[Claim]("k8s.claim"),
	kindOf[Volume]("k8s.volume"),
	kindOf[StorageClass]("k8s.storageclass"),
	kindOf[Job]("k8s.job"),
	kindOf[Workload]("k8s.workload"),
	kindOf[Node]("k8s.node"),
	kindOf[Service]("k8s.service"),
	kindOf[Quota]("k8s.quota"),
	kindOf[Access]("k8s.access"),
	kindOf[Record]("k8s.record"),
	kindOf[APIServer]("k8s.apiserver"),
	kindOf[DNS]("k8s.dns"),

	kindOf[Cluster]("pgo.cluster"),
	kindOf[Task]("pgo.task"),
	kindOf[Replica]("pgo.replica"),
	kindOf[Operator]("pgo.operator"),
	kindOf[PGOServer]("pgo.apiserver"),
	kindOf[Workflow]("pgo.workflow"),

	kindOf[Patroni]("patroni.cluster"),
	kindOf[Member]("patroni.member"),

	kindOf[Server]("pg.server"),
	kindOf[Archiver]("pg.archiver"),
	kindOf[Replication]("pg.replication"),
	kindOf[Slot]("pg.slot"),
	kindOf[Role]("pg.role"),
	kindOf[DataFolder]("pg.data"),
	kindOf[Stanza]("pgbackrest.stanza"),

	kindOf[Reach]("node.reach"),
	kindOf[Disk]("node.disk"),
	kindOf[Memory]("node.memory"),
	kindOf[Clock]("node.clock"),
	kindOf[Runtime]("node.runtime"),
	kindOf[Image]("node.image"),
	kindOf[Folder]("node.folder"),
	kindOf[Interface]("node.interface"),
	kindOf[Route]("node.route"),
	kindOf[Port]("node.port"),
	kindOf[Certificate]("certificate"),

	kindOf[ImageCheck]("image.check"),
	kindOf[StepResult]("run.step"),
}

// KindNames lists the kinds of fact.
func KindNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// TypeOf is the type that facts of a kind have in expressions.
func TypeOf(kind string) (cty.Type, bool) {
	for _, k := range kinds {
		if k.name == kind {
			return k.ctype, true
		}
	}
	return cty.NilType, false
}

// KindOf names the kind of data, a pointer to a struct of one. It panics on
// anything else: that is a bug of the collector.
func KindOf(data any) string {
	for _, k := range kinds {
		if reflect.TypeOf(data) == reflect.PointerTo(k.goType) {
			return k.name
		}
	}
	panic(fmt.Sprintf("%T is no kind of fact", data))
}

// Value is the fact's data for expressions. Lists and maps are never null.
func (f Fact) Value() (cty.Value, error) {
	t, ok := TypeOf(f.Kind)
	if !ok {
		return cty.NilVal, fmt.Errorf("there are no facts of kind %q", f.Kind)
	}
	v, err := gocty.ToCtyValue(reflect.ValueOf(f.Data).Elem().Interface(), t)
	if err != nil {
		return cty.NilVal, fmt.Errorf("fact %s: %w", f.Name, err)
	}
	return cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		switch t := v.Type(); {
		case v.IsNull() && t.IsListType():
			return cty.ListValEmpty(t.ElementType()), nil
		case v.IsNull() && t.IsMapType():
			return cty.MapValEmpty(t.ElementType()), nil
		}
		return v, nil
	})
}

// MarshalData writes the fact's data as JSON.
func (f Fact) MarshalData() ([]byte, error) {
	v, err := f.Value()
	if err != nil {
		return nil, err
	}
	return ctyjson.Marshal(v, v.Type())
}

// UnmarshalData makes data of a kind out of JSON. Attributes that the kind does
// not have are ignored and those that are missing keep their zero value, so
// that bundles of other versions can be read.
func UnmarshalData(name string, text []byte) (any, error) {
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if at < 0 {
		return nil, fmt.Errorf("there are no facts of kind %q", name)
	}
	k := kinds[at]
	implied, err := ctyjson.ImpliedType(text)
	if err != nil || !implied.IsObjectType() {
		return nil, fmt.Errorf("a fact of kind %s is no JSON object", name)
	}
	given, err := ctyjson.Unmarshal(text, implied)
	if err != nil {
		return nil, fmt.Errorf("a fact of kind %s: %w", name, err)
	}
	zero, err := Fact{Kind: name, Data: reflect.New(k.goType).Interface()}.Value()
	if err != nil {
		return nil, err
	}
	attrs := zero.AsValueMap()
	for attr := range maps.Keys(attrs) {
		if implied.HasAttribute(attr) && !given.GetAttr(attr).IsNull() {
			attrs[attr] = given.GetAttr(attr)
		}
	}
	v, err := convert.Convert(cty.ObjectVal(attrs), k.ctype)
	if err != nil {
		return nil, fmt.Errorf("a fact of kind %s: %w", name, err)
	}
	data := reflect.New(k.goType)
	if err := gocty.FromCtyValue(v, data.Interface()); err != nil {
		return nil, fmt.Errorf("a fact of kind %s: %w", name, err)
	}
	return data.Interface(), nil
}
