#include "config/mounted_secret.h"

#include "config/made_node.h"
#include "config/visibility.h"

#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

// A place without line: a file, or a directory.
Node whole(const std::string& file) {
  Node node;
  node.file = &file;
  return node;
}

}  // namespace

Node mounted_secret(const CredentialFolder& folder) {
  const Node place = whole(folder.path);
  Node metadata = mapping_of("name", text_at(place, folder.secret_name));
  add(metadata, "namespace", text_at(place, std::string(gateway_namespace)));
  Node values = node_at(place, Node::Kind::mapping);
  for (const SourceText& file : folder.files) {
    Node value = whole(file.name);
    value.text = NodeText::part_of(file.text);
    add(values, std::string_view(file.name).substr(file.name.rfind('/') + 1), std::move(value));
  }
  Node secret = mapping_of("apiVersion", text_at(place, "v1"));
  add(secret, "kind", text_at(place, "Secret"));
  add(secret, "metadata", std::move(metadata));
  add(secret, "stringData", std::move(values));  // bytes as they are
  return secret;
}

}  // namespace sluice::config
