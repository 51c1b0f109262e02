#include "base/heap.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::heap {
namespace {

constexpr size_t kBlocks = 100'000;
constexpr size_t kBlockBytes = 512;
constexpr size_t kSpareBytesMax = 4 * 1024 * 1024;

size_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    size_t kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

using Block = std::unique_ptr<std::byte[]>;

std::vector<Block> make_blocks() {
  std::vector<Block> blocks(kBlocks);
  for (Block& block : blocks) block = std::make_unique<std::byte[]>(kBlockBytes);
  return blocks;
}

class Heap : public testing::Test {
 protected:
  void SetUp() override {
#ifndef SLUICE_HAS_MIMALLOC
    GTEST_SKIP() << "a sanitizer has the heap";
#endif
    configure();
  }
  // As a shard does it all on its own thread.
  template <typename Body>
  void on_a_thread(Body body) {
    std::thread(body).join();
  }
};

TEST_F(Heap, GivesBackWhatWasFreed) {
  on_a_thread([] {
    const size_t before = anonymous_bytes();
    make_blocks().clear();
    give_back_spare_memory();
    EXPECT_LT(anonymous_bytes(), before + kSpareBytesMax);
  });
}

// Connections that were idle when the heap was asked, and end later.
TEST_F(Heap, GivesBackWhatWasFreedAfterItHadBeenAskedBefore) {
  on_a_thread([] {
    const size_t before = anonymous_bytes();
    std::vector<Block> blocks = make_blocks();
    give_back_spare_memory();
    EXPECT_GT(anonymous_bytes(), before + kBlocks * kBlockBytes) << "it is in use";
    blocks.clear();
    give_back_spare_memory();
    EXPECT_LT(anonymous_bytes(), before + kSpareBytesMax);
  });
}

TEST_F(Heap, IsUsableAfterwards) {
  on_a_thread([] {
    std::vector<Block> blocks = make_blocks();
    for (int i = 0; i < 3; ++i) {
      blocks.resize(kBlocks / 2);
      give_back_spare_memory();
      for (Block& block : make_blocks()) blocks.push_back(std::move(block));
    }
    for (const Block& block : blocks) EXPECT_EQ(block[kBlockBytes - 1], std::byte{0});
  });
}

}  // namespace
}  // namespace sluice::heap
