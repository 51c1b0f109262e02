// A directory with credentials as the Secret that was mounted there.
#pragma once

#include "config/source_file.h"
#include "config/yaml_document.h"

namespace sluice::config {

// A document of kind Secret: it has the directory's name, is of the gateway's namespace, and its places are the files.
// It points into `folder`, which must outlive it.
[[nodiscard]] Node mounted_secret(const CredentialFolder& folder);

}  // namespace sluice::config
