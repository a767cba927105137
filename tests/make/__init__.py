"""What tests are made of: rooms, people, motions, videos with known truth."""
