// A directory with credentials as the Secret that was mounted there.
#pragma once

#include "config/source_file.h"
#include "config/yaml_document.h"

namespace sluice::config {

// A document of kind Secret: it has the directory's name, is of the gateway's namespace, and its places are the files.
// Takes the bytes out of `folder`, which must outlive the node.
[[nodiscard]] Node mounted_secret(CredentialFolder& folder);

}  // namespace sluice::config
