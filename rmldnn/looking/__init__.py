"""`rmldnn init`: facts about data that nobody has described yet."""
