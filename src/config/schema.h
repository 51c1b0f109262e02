// The schema: tables of kinds and their fields. One table says what a field is called, what it means,
// whether this version of sluice acts on it, and into which member of the model it is read; reading,
// validation and documentation all come from it.
//
// A model object (*_model.h) has a member `static const ObjectSchema schema`; *_schema.cc hold the tables, made with
// field(), choice(), protocol(), number(), no_effect() and planned().
#pragma once

#include "base/durations.h"
#include "config/diagnostic.h"
#include "config/yaml_document.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::config {

struct Document;
struct Model;

// --- Values with their place: `node` is null exactly when the field was not given -------------------

struct Text {
  std::string_view value;
  const Node* node = nullptr;
  explicit operator bool() const noexcept { return node != nullptr; }
};

struct Number {
  uint32_t value = 0;
  const Node* node = nullptr;
  explicit operator bool() const noexcept { return node != nullptr; }
};

struct Flag {
  bool value = false;
  const Node* node = nullptr;
};

// Of 100, in millionths: 0.1 % is 1000.
struct Percentage {
  uint32_t millionths = 0;
  const Node* node = nullptr;
  explicit operator bool() const noexcept { return node != nullptr; }
};

struct TimeSpan {
  Duration value{};
  const Node* node = nullptr;
};

// A port by number or by name (Kubernetes' IntOrString).
struct PortReference {
  uint32_t number = 0;    // 0: by name, or not given
  std::string_view name;  // empty: by number, or not given
  const Node* node = nullptr;
};

using TextMap = std::vector<std::pair<std::string_view, Text>>;
using NumberMap = std::vector<std::pair<std::string_view, Number>>;
template <typename Object>
using ObjectMap = std::vector<std::pair<std::string_view, Object>>;

// An object that few documents have: it takes memory only where it is given. One that is not given reads as an empty
// one, whose `node` is null.
template <typename Object>
class Rare {
 public:
  Rare() = default;
  Rare(const Rare& other) : object_(other.get() == nullptr ? nullptr : std::make_unique<Object>(*other)) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) { return *this = Rare(other); }
  Rare& operator=(Rare&&) noexcept = default;
  ~Rare() = default;

  [[nodiscard]] const Object& operator*() const noexcept {
    static const Object empty;
    return object_ == nullptr ? empty : *object_;
  }
  [[nodiscard]] const Object* operator->() const noexcept { return &**this; }
  // To change it; null: it is not given.
  [[nodiscard]] Object* get() noexcept { return object_.get(); }
  [[nodiscard]] const Object* get() const noexcept { return object_.get(); }
  [[nodiscard]] Object& emplace() { return *(object_ = std::make_unique<Object>()); }

 private:
  std::unique_ptr<Object> object_;
};

// Bounds of numbers.
inline constexpr uint32_t port_max = 65535;
inline constexpr uint32_t int32_max = std::numeric_limits<int32_t>::max();

// --- Tables ----------------------------------------------------------------------------------------

enum class Support : uint8_t {
  built,      // read, and acted on
  no_effect,  // part of the API; there is nothing for a gateway to do: accepted
  planned,    // part of the API, not built yet: refused, never ignored
  refused,    // of a choice: part of the API, and not for a gateway; validation says why
};

struct Choice {
  std::string_view name;
  Support support = Support::built;
};

class Reader;
struct ObjectSchema;

struct FieldSchema {
  enum class Shape : uint8_t { single, list, map };

  std::string_view name;
  std::string_view doc;
  Support support = Support::built;
  bool is_required = false;
  Shape shape = Shape::single;
  std::string_view type;                       // "string", "Server"; empty exactly when `read` is null
  const ObjectSchema* object = nullptr;        // of a field whose type is an object
  std::span<const Choice> choices;             // not empty: the values that a string may have
  bool ignores_case = false;                   // of the choices
  bool is_content = false;                     // a string that may have lines and control characters
  std::span<const std::string_view> accepted;  // of a planned field: what is done anyway is no error
  uint32_t min = 0;                            // of a number
  uint32_t max = int32_max;
  void (*read)(Reader& reader, const Node& node, void* object, const FieldSchema& field) = nullptr;
};

struct ObjectSchema {
  std::string_view name;
  std::span<const FieldSchema> fields;
};

struct KindSchema {
  std::string_view kind;
  std::string_view group;  // "" is the core group
  std::span<const std::string_view> versions;
  std::string_view doc;
  Support support = Support::built;
  std::span<const std::string_view> older_versions{};  // of the API, and refused
  std::string_view older_advice{};                     // why, and what to do
  // Exactly when built:
  const ObjectSchema* object = nullptr;
  Document& (*read)(Reader& reader, const Node& node, Model& model) = nullptr;  // adds a document to the model
};

// Of a kind that is not built: whether its documents are errors. What forbids must not be left out silently: that
// would be open to everybody.
[[nodiscard]] bool is_refused(const KindSchema& kind) noexcept;

// Every kind that is known, built or not.
[[nodiscard]] std::span<const KindSchema> all_kinds() noexcept;
[[nodiscard]] std::span<const KindSchema> istio_kinds() noexcept;
[[nodiscard]] std::span<const KindSchema> kubernetes_kinds() noexcept;
[[nodiscard]] std::span<const KindSchema> kyma_kinds() noexcept;
[[nodiscard]] std::span<const KindSchema> gardener_kinds() noexcept;

// --- Reading ---------------------------------------------------------------------------------------

// Where in a document reading is, and where errors go.
class Reader {
 public:
  explicit Reader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // Each key of the mapping goes to its field of the schema; what does not fit is an error.
  void read_object(const Node& node, void* object, const ObjectSchema& schema);

  void read_text(const Node& node, Text& value, const FieldSchema& field);
  void read_number(const Node& node, Number& value, const FieldSchema& field);
  void read_flag(const Node& node, Flag& value);
  void read_percentage(const Node& node, Percentage& value);
  void read_time_span(const Node& node, TimeSpan& value);
  void read_port_reference(const Node& node, PortReference& value);
  void read_text_map(const Node& node, TextMap& value);
  void read_number_map(const Node& node, NumberMap& value, const FieldSchema& field);
  // False (and an error) when the node is not a list, or not a mapping.
  bool check_list(const Node& node);
  bool check_mapping(const Node& node);

  // "spec.servers[0].port"
  void enter(std::string_view name) { path_.push_back({name, 0}); }
  void enter(size_t index) { path_.push_back({{}, index}); }
  void leave() { path_.pop_back(); }

  // `path: message`, at the node.
  void error(const Node& node, std::string_view message, std::string hint = {});

 private:
  struct Step {
    std::string_view name;  // empty: an index
    size_t index;
  };

  [[nodiscard]] std::string path() const;
  void read_field(const Node& node, size_t index, void* object, const ObjectSchema& schema);
  void check_choice(const Node& node, const FieldSchema& field);

  Diagnostics& diagnostics_;
  std::vector<Step> path_;
};

// --- What connects a table's line with a member of the model ----------------------------------------

template <typename T>
concept ModelObject = requires { T::schema.fields; };

template <typename T>
struct ListItem {};
template <typename T>
struct ListItem<std::vector<T>> {
  using Type = T;
};

template <typename T>
struct MapItem {};
template <typename T>
struct MapItem<ObjectMap<T>> {
  using Type = T;
};

template <typename T>
concept MapOfObjects = requires { typename MapItem<T>::Type; };

template <typename T>
struct RareItem {};
template <typename T>
struct RareItem<Rare<T>> {
  using Type = T;
};

template <typename T>
concept RareObject = requires { typename RareItem<T>::Type; };

template <typename T>
void read_value(Reader& reader, const Node& node, T& value, const FieldSchema& field) {
  if constexpr (std::is_same_v<T, Text>) {
    reader.read_text(node, value, field);
  } else if constexpr (std::is_same_v<T, Number>) {
    reader.read_number(node, value, field);
  } else if constexpr (std::is_same_v<T, Flag>) {
    reader.read_flag(node, value);
  } else if constexpr (std::is_same_v<T, Percentage>) {
    reader.read_percentage(node, value);
  } else if constexpr (std::is_same_v<T, TimeSpan>) {
    reader.read_time_span(node, value);
  } else if constexpr (std::is_same_v<T, PortReference>) {
    reader.read_port_reference(node, value);
  } else if constexpr (std::is_same_v<T, TextMap>) {
    reader.read_text_map(node, value);
  } else if constexpr (std::is_same_v<T, NumberMap>) {
    reader.read_number_map(node, value, field);
  } else if constexpr (ModelObject<T>) {
    value.node = &node;
    reader.read_object(node, &value, T::schema);
  } else if constexpr (RareObject<T>) {
    read_value(reader, node, value.emplace(), field);
  } else if constexpr (MapOfObjects<T>) {
    if (!reader.check_mapping(node)) return;
    value.reserve(node.items.size());
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string_view key = node.keys[i].text;
      reader.enter(key);
      read_value(reader, node.items[i], value.emplace_back(key, typename MapItem<T>::Type{}).second, field);
      reader.leave();
    }
  } else {
    if (!reader.check_list(node)) return;
    value.reserve(node.items.size());
    for (size_t i = 0; i < node.items.size(); ++i) {
      reader.enter(i);
      read_value(reader, node.items[i], value.emplace_back(), field);
      reader.leave();
    }
  }
}

template <typename T>
constexpr void describe_type(FieldSchema& field) {
  if constexpr (std::is_same_v<T, Text>) {
    field.type = "string";
  } else if constexpr (std::is_same_v<T, Number>) {
    field.type = "integer";
  } else if constexpr (std::is_same_v<T, Flag>) {
    field.type = "boolean";
  } else if constexpr (std::is_same_v<T, Percentage>) {
    field.type = "percentage";
  } else if constexpr (std::is_same_v<T, TimeSpan>) {
    field.type = "duration";
  } else if constexpr (std::is_same_v<T, PortReference>) {
    field.type = "integer or string";
  } else if constexpr (std::is_same_v<T, TextMap>) {
    field.type = "string";
    field.shape = FieldSchema::Shape::map;
  } else if constexpr (std::is_same_v<T, NumberMap>) {
    field.type = "integer";
    field.shape = FieldSchema::Shape::map;
  } else if constexpr (ModelObject<T>) {
    field.type = "object";
    field.object = &T::schema;
  } else if constexpr (RareObject<T>) {
    describe_type<typename RareItem<T>::Type>(field);
  } else if constexpr (MapOfObjects<T>) {
    describe_type<typename MapItem<T>::Type>(field);
    field.shape = FieldSchema::Shape::map;
  } else {
    describe_type<typename ListItem<T>::Type>(field);
    field.shape = FieldSchema::Shape::list;
  }
}

template <typename T>
struct MemberPointer {};
template <typename OwnerType, typename ValueType>
struct MemberPointer<ValueType OwnerType::*> {
  using Owner = OwnerType;
  using Value = ValueType;
};

enum class Presence : uint8_t { optional, required };

// `Object` is what is read: the member's own class, or one that inherits the member.
template <auto member, typename Object = typename MemberPointer<decltype(member)>::Owner>
constexpr FieldSchema field(std::string_view name, std::string_view doc, Presence presence = Presence::optional) {
  FieldSchema result{.name = name, .doc = doc, .is_required = presence == Presence::required};
  describe_type<typename MemberPointer<decltype(member)>::Value>(result);
  result.read = [](Reader& reader, const Node& node, void* object, const FieldSchema& schema) {
    read_value(reader, node, static_cast<Object*>(object)->*member, schema);
  };
  return result;
}

// A string that has one of these values.
template <auto member>
constexpr FieldSchema choice(std::string_view name, std::span<const Choice> choices, std::string_view doc,
                             Presence presence = Presence::optional) {
  FieldSchema result = field<member>(name, doc, presence);
  result.choices = choices;
  return result;
}

// The same, in any case: protocols are strings in the API, not enumerations.
template <auto member>
constexpr FieldSchema protocol(std::string_view name, std::span<const Choice> choices, std::string_view doc,
                               Presence presence = Presence::optional) {
  FieldSchema result = choice<member>(name, choices, doc, presence);
  result.ignores_case = true;
  return result;
}

// A string that is content of a message: anything goes.
template <auto member>
constexpr FieldSchema content(std::string_view name, std::string_view doc) {
  FieldSchema result = field<member>(name, doc);
  result.is_content = true;
  return result;
}

template <auto member>
constexpr FieldSchema number(std::string_view name, uint32_t min, uint32_t max, std::string_view doc,
                             Presence presence = Presence::optional) {
  FieldSchema result = field<member>(name, doc, presence);
  result.min = min;
  result.max = max;
  return result;
}

constexpr FieldSchema no_effect(std::string_view name, std::string_view doc) {
  return {.name = name, .doc = doc, .support = Support::no_effect};
}

// `accepted`: values that ask for what sluice does anyway. An empty list asks for nothing, in every field.
constexpr FieldSchema planned(std::string_view name, std::string_view doc,
                              std::span<const std::string_view> accepted = {}) {
  return {.name = name, .doc = doc, .support = Support::planned, .accepted = accepted};
}

}  // namespace sluice::config
