// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

type (
	pointerEnumValue string
	pointerEnum      struct{ E pointerEnumValue }
	twiceEnum        string
)

func (*pointerEnumValue) Enum() []plugin.Choice { return []plugin.Choice{{Value: "a"}} }
func (twiceEnum) Enum() []plugin.Choice         { return []plugin.Choice{{Value: "a"}, {Value: "a"}} }

// Types that have no schema, or one that calls could not keep to.
type (
	noDiscriminator struct {
		plugin.Union
		Circle *circle `tag:"circle"`
	}
	noVariants struct {
		plugin.Union `discriminator:"kind"`
	}
	variantNoPointer struct {
		plugin.Union `discriminator:"kind"`
		Circle       circle `tag:"circle"`
	}
	variantNoStruct struct {
		plugin.Union `discriminator:"kind"`
		Text         *string `tag:"text"`
	}
	variantUntagged struct {
		plugin.Union `discriminator:"kind"`
		Circle       *circle
	}
	variantUnexported struct {
		plugin.Union `discriminator:"kind"`
		circle       *circle `tag:"circle"`
	}
	variantTwice struct {
		plugin.Union `discriminator:"kind"`
		Circle       *circle `tag:"circle"`
		Other        *circle `tag:"circle"`
	}
	variantWithTag struct {
		plugin.Union `discriminator:"radius"`
		Circle       *circle `tag:"circle"`
	}
	variantUnion struct {
		plugin.Union `discriminator:"kind"`
		Shape        *shape `tag:"shape"`
	}
	variantItself struct {
		plugin.Union `discriminator:"kind"`
		Itself       *variantItself `tag:"itself"`
	}
	variantTime struct {
		plugin.Union `discriminator:"kind"`
		Time         *time.Time `tag:"time"`
	}
	variantDefault struct {
		plugin.Union `discriminator:"kind"`
		Circle       *circle `tag:"circle" default:"{}"`
	}
	variantNamed struct {
		plugin.Union `discriminator:"kind"`
		Circle       *circle `tag:"circle" json:"round"`
	}
	variantHidden struct {
		plugin.Union `discriminator:"kind"`
		Hidden       *struct{ a int } `tag:"hidden"`
	}
	selfDefault struct {
		Next *selfDefault `json:"next" default:"{}"`
	}
	embedsUnion struct {
		shape
		More int
	}
	embedsPointer struct {
		*Inner
	}
	embedsHiddenPointer struct {
		*circle
	}
	embedsText struct {
		label //lint:ignore U1000 read by reflection
	}
	embedsTwice struct {
		Inner
		A string `json:"a"`
	}
	emptyEnum   string
	numericEnum int
	ownJSON     struct{ A int }
	listOfLists []listOfLists
	mapOfMaps   map[string]mapOfMaps
)

func (emptyEnum) Enum() []plugin.Choice   { return nil }
func (numericEnum) Enum() []plugin.Choice { return []plugin.Choice{{Value: "1"}} }

func (ownJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

// otherInner has two types that are called Inner in its result.
func otherInner() plugin.Method {
	type Inner struct{ B int }
	type result struct {
		Other Inner
		First clashing
	}
	return unaryOf[result]()
}

type clashing struct{ I Inner }

func unaryOf[Out any]() plugin.Method {
	return plugin.Unary("m", "", func(context.Context, plugin.None) (Out, error) {
		var none Out
		return none, nil
	})
}

// many has more fields than a method may have parameters.
type many struct {
	A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, D0, D1, D2 *int
}

func TestConstructionPanics(t *testing.T) {
	for _, test := range []struct {
		name string
		make func() plugin.Method
		want string
	}{
		{"a union without discriminator", unaryOf[noDiscriminator], "no discriminator tag"},
		{"a union without variants", unaryOf[noVariants], "without variants"},
		{"a variant that is no pointer", unaryOf[variantNoPointer], "a variant is an exported pointer to a struct"},
		{"a variant that is no struct", unaryOf[variantNoStruct], "a variant is an exported pointer to a struct"},
		{"a variant without tag", unaryOf[variantUntagged], "a variant is an exported pointer to a struct"},
		{"a variant that is not exported", unaryOf[variantUnexported], "a variant is an exported pointer to a struct"},
		{"two variants of one tag", unaryOf[variantTwice], "a variant is an exported pointer to a struct"},
		{"a variant with the discriminator as a field", unaryOf[variantWithTag], `has a field "radius" of its own`},
		{"a variant that is a union", unaryOf[variantUnion], "is a union itself"},
		{"a variant that is the union itself", unaryOf[variantItself], "is a union itself"},
		{"a variant that is text in JSON", unaryOf[variantTime], `variant "time" is no struct`},
		{"an embedded union", unaryOf[embedsUnion], "embeds a union"},
		{"a union as parameters", methodOf[shape], "is a union, not a struct of parameters"},
		{"an embedded pointer", unaryOf[embedsPointer], "is not a struct"},
		{"an embedded pointer to a hidden struct", unaryOf[embedsHiddenPointer], "is not a struct"},
		{"an embedded text", unaryOf[embedsText], "is not a struct"},
		{"a field that an embedded struct has", unaryOf[embedsTwice], `two fields "a"`},
		{"two parameters of one name", methodOf[embedsTwice], `two fields "a"`},
		{"an enumeration without values", unaryOf[emptyEnum], "at least one value"},
		{"an enumeration of numbers", unaryOf[numericEnum], "a string type"},
		{"JSON of its own without a schema", unaryOf[ownJSON], "method JSONSchema"},
		{"two types of one name", otherInner, `would share the name "Inner"`},
		{"a list of itself", unaryOf[listOfLists], "contains itself"},
		{"a map of itself", unaryOf[struct{ M mapOfMaps }], "contains itself"},
		{"a function", unaryOf[func()], "has no JSON Schema"},
		{"a channel in a field", unaryOf[struct{ C chan int }], "has no JSON Schema"},
		{"a complex number", unaryOf[[]complex128], "has no JSON Schema"},
		{"a map with numbers for keys", unaryOf[map[int]string], "the keys of a map are strings"},
		{"a pointer that is an enumeration", unaryOf[pointerEnum], "must have a value receiver"},
		{"an enumeration with a value twice", unaryOf[struct{ E twiceEnum }], `the value "a" is there twice`},
		{"an interface", unaryOf[struct{ E error }], "is an interface"},
		{"no function", func() plugin.Method {
			return plugin.Unary[plugin.None, int]("m", "", nil)
		}, "no function"},
		{"parameters that are no struct", methodOf[string], "string is not a struct"},
		{"parameters that are a pointer", methodOf[*nameParams], "is not a struct"},
		{"too many parameters", methodOf[many], "33 fields, more than 32"},
		{"a default that is no JSON", methodOf[struct {
			A *[]string `default:"ws"`
		}], "default ws"},
		{"a default of another type", methodOf[struct {
			A *uint8 `default:"256"`
		}], "default 256"},
		{"a default that the enumeration does not list", methodOf[struct {
			A *source `default:"\"x\""`
		}], "unknown variant `x`"},
		{"a default for what is required", methodOf[struct {
			A uint8 `default:"1"`
		}], "not optional"},
		{"a default of another type, within", unaryOf[struct {
			In []struct {
				A *uint8 `default:"256"`
			}
		}], "default 256"},
		{"a default for what is required, within", methodOf[struct {
			In map[string]struct {
				A uint8 `default:"1"`
			}
		}], "not optional"},
		{"an empty default that is no value", methodOf[struct {
			A *int `default:""`
		}], "invalid default"},
		{"a default that lacks a member", methodOf[struct {
			A *registerParams `default:"{\"name\":\"a\"}"`
		}], "invalid default {\"name\":\"a\"}: missing field: A.host"},
		{"a default that contains itself", methodOf[selfDefault], "contains itself"},
		{"a default of an embedded struct", methodOf[struct {
			Inner `default:"{}"`
		}], "a default"},
		{"a default of a field that is left out", methodOf[struct {
			A int  `json:"-" default:"1"`
			B *int `json:"b"`
		}], "a default"},
		{"a default of a variant", unaryOf[variantDefault], "default"},
		{"a member name for a variant", unaryOf[variantNamed], "json"},
		{"no exported fields", unaryOf[struct{ a, b int }], "no exported fields"},
		{"no exported parameters", methodOf[struct{ a int }], "no exported fields"},
		{"no exported fields, within", methodOf[struct{ A []sync.Mutex }], "no exported fields"},
		{"no exported fields in a variant", unaryOf[variantHidden], "no exported fields"},
		{"a bad type in Returns", func() plugin.Method {
			return plugin.Unary("m", "", func(context.Context, plugin.None) (any, error) { return nil, nil }, plugin.Returns[chan int]())
		}, "Returns: chan int has no JSON Schema"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				got := recover()
				if got == nil {
					t.Fatal("no panic")
				}
				if s := fmt.Sprint(got); !strings.HasPrefix(s, "plugin: ") || !strings.Contains(s, test.want) {
					t.Errorf("panic %q, want one about %q", s, test.want)
				}
			}()
			test.make()
		})
	}
	_ = variantUnexported{}.circle
}

// TestTags: those that mean nothing, or that change the JSON in a way which no
// schema shows, are errors, at every depth.
func TestTags(t *testing.T) {
	for tag, want := range map[string]string{
		`json:"a,string"`:                    `option "string"`,
		`json:",string,omitzero"`:            `option "string"`,
		`json:"a,format:RFC822"`:             `option "format:RFC822"`,
		`json:"a,omitzero,format:'2, Jan'"`:  `option "format:'2"`,
		`json:"a,case:ignore"`:               `option "case:ignore"`,
		`json:"a,nocase"`:                    `option "nocase"`,
		`json:",embed"`:                      `option "embed"`,
		`json:",inline"`:                     `option "inline"`,
		`json:",unknown"`:                    `option "unknown"`,
		`json:"a,omitEmpty"`:                 `option "omitEmpty"`,
		`json:"a, omitempty"`:                `option " omitempty"`,
		`json:"a,omitzero,omitzero"`:         "duplicate",
		`json:"a,"`:                          `option ""`,
		`json:"a'b"`:                         "malformed",
		`json:"a\\\"b"`:                      "malformed",
		"json:\"\xff\"":                      "malformed tag",
		`description:"\xff"`:                 "malformed tag",
		`json:a`:                             "malformed tag",
		`json: "a"`:                          "malformed tag",
		`json:"a"description:"b"`:            "malformed tag",
		`json:"a" description:"b`:            "malformed tag",
		`json:"a" json:"b"`:                  "malformed tag",
		`json`:                               "malformed tag",
		`description:"a" json`:               "malformed tag",
		`json:"a,omitempty" xml:"b"`:         "",
		` json:"a"  description:"b\n\"c\"" `: "",
		`json:"-,"`:                          `option ""`,
		`json:"-"`:                           "",
		`json:"a-b.c/é"`:                     "",
		``:                                   "",
	} {
		one := reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[*int](), Tag: reflect.StructTag(tag)}, {Name: "B", Type: reflect.TypeFor[int]()}})
		deep := reflect.StructOf([]reflect.StructField{{Name: "In", Type: reflect.SliceOf(one)}})
		_, inParameters := codec.ParametersOf(one)
		_, within := codec.ParametersOf(deep)
		_, inResults := codec.ResultSchema(one)
		for _, err := range []error{inParameters, within, inResults} {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", tag, err, want)
			}
		}
	}
	hidden := reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[int]()}, {Name: "b", PkgPath: "x", Type: reflect.TypeFor[int](), Tag: `json:"b"`}})
	if _, err := codec.ResultSchema(hidden); err == nil || !strings.Contains(err.Error(), "unexported") {
		t.Errorf("a tag of an unexported field: %v", err)
	}
}

func TestConstructionPanicNamesTheMethodAndTheField(t *testing.T) {
	defer func() {
		want := `plugin: method "m": parameters: struct { List []codec_test.bad "json:\"list\"" }.list: codec_test.bad.done: chan struct {} has no JSON Schema`
		if got := fmt.Sprint(recover()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}()
	methodOf[struct {
		List []bad `json:"list"`
	}]()
}

type bad struct {
	Done chan struct{} `json:"done"`
}

func TestAMethodMayHave32Parameters(t *testing.T) {
	type params struct {
		A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, D0, D1 *int
	}
	got, err := bindAs[params]("["+strings.Repeat("0,", 31)+"7]", true)
	if err != nil || got.D1 == nil || *got.D1 != 7 {
		t.Errorf("the last of them: %v, %v", got.D1, err)
	}
}
