//! Settings from a tree, by serde, with the place of a mistake.

use std::{fmt, slice};

use serde::{
    Deserializer,
    de::{
        self, DeserializeSeed, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{hint, tree::Tree};
use crate::ConfigProblem;

/// The tuple struct of this name may be written as one entry.
pub(super) const ONE_OR_MANY: &str = "waxseal: one or many";

/// A mistake and its place, which grows from the inside out.
#[derive(Debug)]
pub(super) struct Mistake {
    message: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Mistake {
    #[cold]
    #[inline(never)]
    fn below(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    #[cold]
    #[inline(never)]
    fn below_key(self, key: &str) -> Self {
        self.below(Step::Key(key.to_owned()))
    }

    pub(super) fn into_problem(self) -> ConfigProblem {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path.extend([".", key]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        ConfigProblem::new(path, self.message)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Mistake {
            message: message.to_string(),
            steps: Vec::new(),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Mistake::custom(format!("not known here; {}", hint::known(field, expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known = hint::known(variant, expected);
        Mistake::custom(format!("`{variant}` is not known here; {known}"))
    }
}

/// A value to read from.
pub(super) struct Node<'de>(pub(super) &'de Tree);

impl Node<'_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match self.0 {
            Tree::Null => Unexpected::Unit,
            Tree::Truth(truth) => Unexpected::Bool(*truth),
            Tree::Natural(number) => Unexpected::Unsigned(*number),
            Tree::Negative(number) => Unexpected::Signed(*number),
            Tree::Fraction(number) => Unexpected::Float(*number),
            Tree::Text(text) => Unexpected::Str(text),
            Tree::List(_) => Unexpected::Seq,
            Tree::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Node<'de> {
    /// Another form than the type has. Kept out of line, for small filters.
    #[cold]
    #[inline(never)]
    fn refuse(&self, expected: &dyn Expected) -> Mistake {
        Mistake::invalid_type(self.unexpected(), expected)
    }

    fn members(&self, expected: &dyn Expected) -> Result<Members<'de>, Mistake> {
        match self.0 {
            Tree::Object(object) => Ok(Members {
                left: object.iter(),
                here: None,
            }),
            _ => Err(self.refuse(expected)),
        }
    }

    fn elements(&self, expected: &dyn Expected) -> Result<Elements<'de>, Mistake> {
        match self.0 {
            Tree::List(list) => Ok(Elements {
                left: list.iter(),
                index: Some(0),
            }),
            _ => Err(self.refuse(expected)),
        }
    }
}

/// A type asks for its own form, and only that is tried: for a type with many
/// fields this halves the code.
impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Truth(truth) => visitor.visit_bool(*truth),
            Tree::Natural(number) => visitor.visit_u64(*number),
            Tree::Negative(number) => visitor.visit_i64(*number),
            Tree::Fraction(number) => visitor.visit_f64(*number),
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            Tree::List(_) => self.deserialize_seq(visitor),
            Tree::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let members = self.members(&visitor)?;
        visitor.visit_map(members)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let members = self.members(&visitor)?;
        visitor.visit_map(members)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let elements = self.elements(&visitor)?;
        visitor.visit_seq(elements)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// "No settings" is written `{}`.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Object(members) => match members.first() {
                None => visitor.visit_unit(),
                Some((key, _)) => {
                    let mistake = Mistake::custom("this filter takes no settings");
                    Err(mistake.below_key(key))
                }
            },
            _ => Err(self.refuse(&"{}")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let elements = match self.0 {
            Tree::List(_) => self.elements(&visitor)?,
            _ if name == ONE_OR_MANY => Elements::just(self.0),
            _ => return Err(self.refuse(&visitor)),
        };
        visitor.visit_seq(elements)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let choice = match self.0 {
            Tree::Text(name) => Choice { name, value: None },
            Tree::Object(members) => match members.as_slice() {
                [(name, value)] => Choice {
                    name,
                    value: Some(value),
                },
                _ => return Err(Mistake::custom("exactly one key must stand here")),
            },
            _ => return Err(self.refuse(&"a name, or an object with one key")),
        };
        visitor.visit_enum(choice)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf tuple
        identifier ignored_any
    }
}

/// The elements of a list.
struct Elements<'de> {
    left: slice::Iter<'de, Tree>,
    /// Of the next element; none where a single entry stands for a list.
    index: Option<usize>,
}

impl<'de> Elements<'de> {
    fn just(entry: &'de Tree) -> Self {
        Elements {
            left: slice::from_ref(entry).iter(),
            index: None,
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(tree) = self.left.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index = index.map(|index| index + 1);
        seed.deserialize(Node(tree))
            .map(Some)
            .map_err(|mistake| match index {
                Some(index) => mistake.below(Step::Index(index)),
                None => mistake,
            })
    }
}

/// The members of an object.
struct Members<'de> {
    left: slice::Iter<'de, (String, Tree)>,
    here: Option<&'de (String, Tree)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        self.here = self.left.next();
        let Some((key, _)) = self.here else {
            return Ok(None);
        };
        seed.deserialize(StrDeserializer::new(key))
            .map(Some)
            .map_err(|mistake: Mistake| mistake.below_key(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((key, tree)) = self.here.take() else {
            return Err(Mistake::custom("a value was asked for before its key"));
        };
        seed.deserialize(Node(tree))
            .map_err(|mistake| mistake.below_key(key))
    }
}

/// A case of an enumeration: `"name"` or `{"name": value}`.
struct Choice<'de> {
    name: &'de str,
    value: Option<&'de Tree>,
}

impl<'de> Choice<'de> {
    fn value(&self) -> Result<Node<'de>, Mistake> {
        let missing = || Mistake::custom(format!("`{}` needs a value", self.name));
        self.value.map(Node).ok_or_else(missing)
    }

    fn below(&self, mistake: Mistake) -> Mistake {
        mistake.below_key(self.name)
    }
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        let variant = seed.deserialize(StrDeserializer::<Mistake>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        match self.value {
            None => Ok(()),
            Some(_) => {
                let message = format!("`{}` takes no value", self.name);
                Err(Mistake::custom(message))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self.value()?)
            .map_err(|mistake| self.below(mistake))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let value = self.value()?;
        value
            .deserialize_any(visitor)
            .map_err(|mistake| self.below(mistake))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let value = self.value()?;
        value
            .deserialize_any(visitor)
            .map_err(|mistake| self.below(mistake))
    }
}
