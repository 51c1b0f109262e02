#include "config/mounted_secret.h"

#include "config/visibility.h"

#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

// Places without line: the file, or the directory.
Node scalar(const std::string& file, std::string text) {
  Node node;
  node.file = &file;
  node.text = std::move(text);
  return node;
}

Node mapping(const std::string& file) {
  Node node;
  node.kind = Node::Kind::mapping;
  node.file = &file;
  return node;
}

void add(Node& object, std::string_view key, Node value) {
  object.keys.push_back({.text = std::string(key)});
  object.items.push_back(std::move(value));
}

}  // namespace

Node mounted_secret(CredentialFolder& folder) {
  Node metadata = mapping(folder.path);
  add(metadata, "name", scalar(folder.path, folder.secret_name));
  add(metadata, "namespace", scalar(folder.path, std::string(gateway_namespace)));
  Node values = mapping(folder.path);
  for (SourceText& file : folder.files)
    add(values, std::string_view(file.name).substr(file.name.rfind('/') + 1), scalar(file.name, std::move(file.text)));
  Node secret = mapping(folder.path);
  add(secret, "apiVersion", scalar(folder.path, "v1"));
  add(secret, "kind", scalar(folder.path, "Secret"));
  add(secret, "metadata", std::move(metadata));
  add(secret, "stringData", std::move(values));  // bytes as they are
  return secret;
}

}  // namespace sluice::config
