// DER (ITU-T X.690) as a tree that the fuzzer's program changes and that is then written with lengths that are right:
// certificates, revocation lists and OCSP responses that get past the first look.
#pragma once

#include "program.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::fuzz {

// `der` after so many changes as the program says, 0 to 7.
[[nodiscard]] std::string edit_der(std::string_view der, Program& program);

}  // namespace sluice::fuzz
