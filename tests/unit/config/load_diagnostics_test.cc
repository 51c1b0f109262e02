// Every file of the folder diagnostics/ holds documents and, in lines that start with "#= ", what is said
// about them: the whole of it, in order. A file named fine_* is compiled without a word.
#include "config_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace sluice::config {
namespace {

namespace filesystem = std::filesystem;

struct Golden {
  std::string documents;
  std::vector<std::string> expected;
};

Golden read_golden(const filesystem::path& path) {
  Golden golden;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#= ")) {
      golden.expected.push_back(path.filename().string() + ":" + line.substr(3));
    } else {
      golden.documents += line + "\n";
    }
  }
  return golden;
}

std::vector<filesystem::path> golden_files() {
  std::vector<filesystem::path> files;
  for (const auto& entry : filesystem::directory_iterator(GOLDEN_FOLDER)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class GoldenDiagnostics : public testing::TestWithParam<filesystem::path> {};

TEST_P(GoldenDiagnostics, SaysExactlyThis) {
  const Golden golden = read_golden(GetParam());
  const Loaded loaded = load_document(golden.documents, GetParam().filename().string());
  EXPECT_EQ(loaded.diagnostics, golden.expected);
  const bool has_errors =
      std::ranges::any_of(golden.expected, [](const std::string& line) { return line.contains(": error: "); });
  EXPECT_EQ(loaded.snapshot == nullptr, has_errors);
  EXPECT_EQ(golden.expected.empty(), GetParam().filename().string().starts_with("fine_"));
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenDiagnostics, testing::ValuesIn(golden_files()),
                         [](const testing::TestParamInfo<filesystem::path>& file) {
                           return file.param.stem().string();
                         });

}  // namespace
}  // namespace sluice::config
