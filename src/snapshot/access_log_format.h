// What a line of the access log looks like (MeshConfig: accessLogFormat and accessLogEncoding), compiled by
// config/access_log_format.h, written by observe/access_log_line.h.
#pragma once

#include "snapshot/format.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::snapshot {

struct AccessLogFormat {
  enum class Encoding : uint8_t { text, json };
  // What stands before a value: nothing (text), or JSON up to it (`{"method":`, `,"path":`).
  struct Value {
    std::string before;
    Format format;
  };

  Encoding encoding = Encoding::text;
  std::vector<Value> values;
  std::string end;  // after the last value; with the newline
  FormatNeeds needs;
};

}  // namespace sluice::snapshot
