#include "upstream/names.h"

#include "base/limits.h"

#include <utility>

namespace sluice::upstream {

Names::~Names() {
  if (answers_ != nullptr) answers_->close();
  while (!by_use_.empty()) by_use_.pop_front();
}

void Names::ask(NameLookup& lookup, std::shared_ptr<NameAnswers> answers) noexcept {
  lookup_ = &lookup;
  answers_ = std::move(answers);
}

Names::Found Names::find(std::string_view text, NameWaiter& waiter) {
  if (lookup_ == nullptr) return {Status::failed, {}};
  Name* name = find_or_add(text);
  if (name == nullptr) return {Status::failed, {}};
  const Instant now = loop_.now();
  const bool is_fresh = now < name->expires;
  if (!is_fresh && !std::exchange(name->is_asked, true)) lookup_->look_up(text, answers_);
  if (!name->addresses.empty() && (is_fresh || now - name->expires < limits::dns_refresh_time_max))
    return {Status::found, name->addresses};
  if (is_fresh) return {Status::failed, {}};
  name->waiters.push_back(waiter);
  return {Status::waiting, {}};
}

// Null: there is no room.
Names::Name* Names::find_or_add(std::string_view text) {
  if (const auto found = names_.find(text); found != names_.end()) {
    static_cast<ListNode<Name>&>(found->second).unlink();
    by_use_.push_back(found->second);
    return &found->second;
  }
  if (names_.size() == limits::dns_names_per_shard_max) {
    Name* unused = by_use_.find([](const Name& name) { return !name.is_asked; });
    if (unused == nullptr) return nullptr;
    forget(*unused);
  }
  Name& added = names_.try_emplace(std::string(text)).first->second;
  added.text = text;
  by_use_.push_back(added);
  return &added;
}

void Names::forget(Name& name) noexcept {
  static_cast<ListNode<Name>&>(name).unlink();
  names_.erase(names_.find(name.text));
}

void Names::tidy() noexcept {
  const auto is_of_no_use = [now = loop_.now()](const Name& name) {
    return !name.is_asked && now - name.expires >= limits::dns_refresh_time_max;
  };
  while (!by_use_.empty() && is_of_no_use(by_use_.front())) forget(by_use_.front());
}

void Names::collect() {
  if (answers_ == nullptr) return;
  for (const NameAnswer& answer : answers_->take()) {
    const auto found = names_.find(answer.name);
    if (found == names_.end()) continue;
    Name& name = found->second;
    name.is_asked = false;
    if (answer.lifetime > Duration{}) {
      name.addresses = answer.addresses;
      name.expires = loop_.now() + answer.lifetime;
    }
    List<NameWaiter> told;
    told.append(name.waiters);
    // Each may ask for names, so that this one goes, or end other waiters.
    while (!told.empty()) {
      const NameWaiter& waiter = told.pop_front();
      waiter.on_answer_(waiter.owner_, answer.addresses);
    }
  }
}

}  // namespace sluice::upstream
